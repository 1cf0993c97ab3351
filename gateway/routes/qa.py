"""`POST /api/qa`: a citizen's question as server-sent events. Knows the wire, not the path."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Scope

from zhengwu.agents.qa.events import Done, Event, NextStep, Question, Status
from zhengwu.errors import ZhengwuError
from zhengwu.gateway.errors import INTERNAL, from_error
from zhengwu.gateway.metrics import Metrics
from zhengwu.gateway.question import QuestionBody, to_question
from zhengwu.gateway.reply import note, request_id
from zhengwu.gateway.stream import EventStream
from zhengwu.settings import Settings

LOG = logging.getLogger("zhengwu.gateway")
HOTLINE = NextStep(kind="phone", label="政务服务便民热线", value="12345")


class Asker(Protocol):
    """The answer path."""

    def ask(self, question: Question) -> AsyncIterator[Event]:
        """The events of one question, `done` last."""
        ...


def qa_routes(settings: Settings, asker: Asker, metrics: Metrics) -> APIRouter:
    """The routes of the citizen's questions."""
    routes = APIRouter(prefix="/api", tags=["qa"])

    @routes.post("/qa", response_class=Response, responses={200: {"content": EVENT_STREAM}})
    async def ask(body: QuestionBody, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        events = asker.ask(to_question(body, settings))
        return EventStream(numbered(events, request.scope, metrics), metrics)

    return routes


EVENT_STREAM = {"text/event-stream": {"schema": {"type": "string"}}}


async def numbered(
    events: AsyncIterator[Event], scope: Scope, metrics: Metrics
) -> AsyncGenerator[bytes]:
    """Each event with its number from 1. A path that fails half way still ends with `done`.

    What is wrong with the question itself shows at the first event, and is raised: EventStream
    makes an HTTP error of it.
    """
    number, ended = 0, "left"
    try:
        async for event in _guarded(events, request_id(scope)):
            number += 1
            if isinstance(event, Done):
                ended = event.status.value
            yield frame(number, event)
        ended = "cut" if ended == "left" else ended
    except ZhengwuError as error:
        ended = "refused"
        note(scope, code=error.code)
        raise
    finally:
        metrics.answer(ended)
        note(scope, outcome=ended, events=number)


async def _guarded(events: AsyncIterator[Event], name: str) -> AsyncGenerator[Event]:
    began = False
    try:
        async for event in events:
            began = True
            yield event
    except ZhengwuError as error:
        if not began:
            raise
        LOG.warning("request %s: the answer path failed: %s", name, error.code)
        problem = from_error(error)
        yield _failed(problem.code, problem.message)
    except Exception:
        if not began:
            raise
        LOG.exception("request %s: the answer path failed", name)
        yield _failed("internal", INTERNAL)
    finally:
        await _close(events)


def _failed(reason: str, text: str) -> Done:
    return Done(status=Status.FAILED, reason=reason, text=text, next_steps=(HOTLINE,))


async def _close(events: AsyncIterator[Event]) -> None:
    if isinstance(events, AsyncGenerator):
        await events.aclose()


def frame(number: int, event: Event) -> bytes:
    """One event on the wire. JSON has no raw line breaks, so one `data:` line holds it."""
    return f"id: {number}\nevent: {event.event}\ndata: {event.model_dump_json()}\n\n".encode()
