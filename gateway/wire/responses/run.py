"""Answers `/v1/responses`: whole, streamed or later, each on one chat completion.

Knows the order of things: earlier turns, the model, what is kept. Knows no HTTP.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, nullcontext
from dataclasses import replace
from typing import Any, Protocol

import orjson

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.errors import from_error
from zhengwu.gateway.wire.asked import Asked, Opened, Opens
from zhengwu.gateway.wire.owner import owner_of
from zhengwu.gateway.wire.piece import read_piece
from zhengwu.gateway.wire.responses.parts import Event
from zhengwu.gateway.wire.responses.request import ResponsesBody
from zhengwu.gateway.wire.responses.running import Running, Stop
from zhengwu.gateway.wire.responses.store import Before, ResponseStore, Stored
from zhengwu.gateway.wire.responses.to_chat import as_json, chat_body
from zhengwu.gateway.wire.responses.writer import ResponseWriter, new_id

PATH = "chat/completions"
JOB = "response"


class Later(Protocol):
    """Takes work for later. `JobQueue` is the real one."""

    async def put(self, kind: str, payload: dict[str, Any]) -> int:
        """Add a job; when this returns it is on disk."""
        ...


class Responses:
    """Creates and keeps responses."""

    def __init__(self, opens: Opens, store: ResponseStore, running: Running, later: Later) -> None:
        self._opens = opens
        self._store = store
        self._running = running
        self._later = later

    async def create(self, asked: Asked, body: ResponsesBody) -> Event:
        """The whole response, or a queued one where the caller wants it in the background."""
        writer, before = await self._prepare(asked, body)
        chat = chat_body(body, before.items, stream=False)
        for _ in writer.begin():
            pass
        if body.background:
            return await self._queue(asked, body, writer, before)
        graded = replace(asked, least_grade=max(asked.least_grade, before.grade))
        async with self._opens.open(graded, PATH, as_json(chat), False) as opened:
            piece = read_piece(await opened.whole())
        for _ in [*writer.add(piece), *writer.end()]:
            pass
        if body.keeps:
            await self._store.add(
                owner_of(asked.caller), _stored(asked, body, writer, opened.grade)
            )
        return writer.show()

    async def stream(self, asked: Asked, body: ResponsesBody) -> AsyncGenerator[bytes]:
        """The response's events. What fails before the first one is raised."""
        writer, before = await self._prepare(asked, body)
        graded = replace(asked, least_grade=max(asked.least_grade, before.grade))
        chat = as_json(chat_body(body, before.items, stream=True))
        async with self._opens.open(graded, PATH, chat, True) as opened:
            begun = [*writer.begin()]
            if body.keeps:
                stored = _stored(asked, body, writer, opened.grade)
                await self._store.add(owner_of(asked.caller), stored)
            for event in begun:
                yield framed(event)
            async with aclosing(self._written(writer, opened, body.keeps)) as events:
                async for event in events:
                    yield framed(event)

    async def run(self, asked: Asked, stored: Stored) -> None:
        """Write a response that was queued, until it is done or cancelled."""
        body = ResponsesBody.model_validate(stored.request)
        writer = ResponseWriter(body, stored.id)
        for _ in writer.begin():
            pass
        if not await self._store.begin(stored.id, writer.show()):
            return
        before = await self._store.before(owner_of(asked.caller), stored.previous)
        graded = replace(asked, least_grade=max(asked.least_grade, before.grade, stored.grade))
        chat = as_json(chat_body(body, before.items, stream=True))
        async with self._opens.open(graded, PATH, chat, True) as opened:
            async for _ in self._written(writer, opened, True):
                pass

    async def give_up(self, stored: Stored, error: ZhengwuError) -> None:
        """Say of a queued response why it cannot be written."""
        writer = ResponseWriter(ResponsesBody.model_validate(stored.request), stored.id)
        for _ in writer.fail(*told(error)):
            pass
        await self._store.finish(stored.id, writer.show(), stored.grade)

    async def cancel(self, asked: Asked, response_id: str) -> Mapping[str, Any]:
        """Cancel a response that is queued or being written, here or elsewhere."""
        stored = await self._store.cancel(owner_of(asked.caller), response_id)
        self._running.stop(response_id)
        return stored.shown

    async def _prepare(self, asked: Asked, body: ResponsesBody) -> tuple[ResponseWriter, Before]:
        body.check()
        before = await self._store.before(owner_of(asked.caller), body.previous_response_id)
        return ResponseWriter(body, new_id("resp")), before

    async def _queue(
        self, asked: Asked, body: ResponsesBody, writer: ResponseWriter, before: Before
    ) -> Event:
        shown = {**writer.show(), "status": "queued"}
        stored = replace(_stored(asked, body, writer, before.grade), status="queued", shown=shown)
        await self._store.add(owner_of(asked.caller), stored)
        await self._later.put(JOB, {"response": writer.id})
        return shown

    async def _written(
        self, writer: ResponseWriter, opened: Opened, keeps: bool
    ) -> AsyncGenerator[Event]:
        """The events after the first ones; whatever happens, the end is kept."""
        watched = self._running.writing(writer.id) if keeps else nullcontext(Stop(None))
        with watched as stop:
            last: Iterator[Event] = iter(())
            try:
                async for data in opened.events():
                    for event in writer.add(read_piece(data)):
                        yield event
                last = writer.end()
            except ZhengwuError as error:
                last = writer.fail(*told(error))
            except (asyncio.CancelledError, GeneratorExit):
                last = writer.cancel()
                if not stop.taken():  # the reader left: nobody is told, but it is kept
                    await self._keep(writer, [*last], opened.grade, keeps)
                    raise
            events = [*last]
            await self._keep(writer, events, opened.grade, keeps)
        for event in events:
            yield event

    async def _keep(
        self, writer: ResponseWriter, ended: list[Event], grade: int, keeps: bool
    ) -> None:
        assert ended, "a response has an end"
        if keeps:
            await self._store.finish(writer.id, writer.show(), grade)


def _stored(asked: Asked, body: ResponsesBody, writer: ResponseWriter, grade: int) -> Stored:
    shown = writer.show()
    return Stored(
        id=writer.id,
        key_id=asked.caller.key_id,
        status=str(shown["status"]),
        previous=body.previous_response_id,
        grade=grade,
        declared=asked.declared,
        request=body.model_dump(mode="json", exclude_none=True),
        shown=shown,
    )


def told(error: ZhengwuError) -> tuple[str, str]:
    """What a response says of a failure: OpenAI's code, and a message without inner detail."""
    problem = from_error(error)
    return ("rate_limit_exceeded" if problem.status == 429 else "server_error"), problem.message


def framed(event: Event) -> bytes:
    """One server-sent event."""
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event))
