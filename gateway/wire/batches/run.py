"""Runs a batch, slice by slice: reads it, runs its lines on the pool's idle time, writes the files.

Every step can be taken again after a kill -9: a line that has ended is on disk before the next
begins, and only lines that have not ended are run. Knows the order; the path of a line is the
same governed one as a caller's own request.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

import orjson

from zhengwu.db.tables import now
from zhengwu.errors import ZhengwuError
from zhengwu.gateway.errors import KeyRefused, Problem, body_of, from_error
from zhengwu.gateway.governed.caller import BATCH, Caller
from zhengwu.gateway.wire.asked import Asked
from zhengwu.gateway.wire.batches.lines import MAX_ERRORS, Line, LineError, read_lines
from zhengwu.gateway.wire.batches.store import (
    DONE,
    FAILED,
    WAITING,
    BatchState,
    BatchStore,
    Ended,
    WaitingLine,
)
from zhengwu.gateway.wire.errors import UnknownObject
from zhengwu.gateway.wire.files import NewFile, WireFiles
from zhengwu.gateway.wire.responses.writer import new_id
from zhengwu.jobs.worker import Again, Report

SLICE_S = 20.0
"""After this long another batch may have its turn."""
BUSY = timedelta(seconds=2)
TRIES = 5
TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
PAGE = 200


class Performs(Protocol):
    """Answers one whole request by its path. `Performer` is the real one."""

    async def perform(self, asked: Asked, path: str, body: bytes) -> bytes:
        """The body of the answer, or a ZhengwuError."""
        ...


class CallersById(Protocol):
    """Tells who is behind a key that asked earlier."""

    async def by_id(self, key_id: str) -> Caller:
        """The caller as it is now; KeyRefused where the key may not be used any more."""
        ...


class BatchRunner:
    """The handler of batch jobs."""

    def __init__(
        self,
        store: BatchStore,
        files: WireFiles,
        performs: Performs,
        callers: CallersById,
        busy: Callable[[], Awaitable[bool]],
        at_once: int = 1,
        slice_s: float = SLICE_S,
    ) -> None:
        """`busy`: whether somebody waits for the pool. `at_once`: lines run side by side."""
        self._store = store
        self._files = files
        self._performs = performs
        self._callers = callers
        self._busy = busy
        self._at_once = at_once
        self._slice_s = slice_s

    async def handle(self, payload: dict[str, Any], report: Report) -> dict[str, Any] | Again:
        """Take one batch a stretch further."""
        try:
            state = await self._store.get(None, str(payload["batch"]))
        except UnknownObject:
            return {"gone": True}
        if state.status == "validating":
            await self._read(state)
            return Again()
        if state.status in ("in_progress", "cancelling"):
            return await self._slice(state, report)
        if state.status == "finalizing":
            await self._finish(state)
        return {"status": state.status}

    async def _read(self, state: BatchState) -> None:
        await self._store.clear(state.id)
        errors: list[LineError] = []
        lines: list[Line] = []
        async for read in read_lines(self._files.content(state.input_file), state.endpoint):
            if isinstance(read, LineError):
                errors.append(read)
            else:
                lines.append(read)
            if len(lines) >= PAGE:
                await self._store.add_lines(state.id, lines)
                lines = []
            if len(errors) >= MAX_ERRORS:
                break
        await self._store.add_lines(state.id, lines)
        if errors:
            await self._store.clear(state.id)
            told = [_told(error) for error in errors]
            await self._store.move(state.id, ("validating", "cancelling"), "failed", errors=told)
        else:
            await self._store.move(state.id, ("validating",), "in_progress")

    async def _slice(self, state: BatchState, report: Report) -> Again:
        ends = time.monotonic() + self._slice_s
        while time.monotonic() < ends:
            state = await self._store.get(None, state.id)
            counts = await self._store.counts(state.id)
            ended = counts.done + counts.failed
            report(ended / max(1, ended + counts.waiting))
            if not counts.waiting or state.status == "cancelling" or state.expires <= now():
                await self._store.move(state.id, (state.status,), "finalizing")
                return Again()
            if await self._busy():
                return Again(BUSY)
            wait = await self._lines(state)
            if wait is not None:
                return Again(wait)
        return Again()

    async def _lines(self, state: BatchState) -> timedelta | None:
        """Run a few lines; a time to wait where the pool or a limit says so."""
        lines = await self._store.waiting(state.id, self._at_once)
        try:
            caller = replace(await self._callers.by_id(state.key_id), priority=BATCH)
        except KeyRefused as error:
            for line in lines:
                await self._store.end(state.id, _failed(line, from_error(error), state))
            return None
        waits = await asyncio.gather(*(self._line(state, caller, line) for line in lines))
        return max((wait for wait in waits if wait is not None), default=None)

    async def _line(self, state: BatchState, caller: Caller, line: WaitingLine) -> timedelta | None:
        asked = Asked(caller, new_id("req"), state.declared, route=state.endpoint)
        try:
            answer = await self._performs.perform(asked, state.endpoint, line.body.encode())
        except ZhengwuError as error:
            return await self._not_answered(state, line, from_error(error))
        await self._store.end(state.id, _done(line, asked.request_id, answer))
        return None

    async def _not_answered(
        self, state: BatchState, line: WaitingLine, problem: Problem
    ) -> timedelta | None:
        if problem.status == 429 and problem.wait_s is not None:  # our own limits: not a try
            return timedelta(seconds=min(problem.wait_s, 300))
        if problem.status in TRANSIENT and line.attempts + 1 < TRIES:
            await self._store.tried(state.id, line.number)
            return timedelta(seconds=2.0**line.attempts)
        await self._store.end(state.id, _failed(line, problem, state))
        return None

    async def _finish(self, state: BatchState) -> None:
        """Write the files under ids that follow from the batch's, then close it."""
        written: dict[str, str | None] = {}
        for name, lines in (
            ("output_file", self._ended(state, DONE)),
            ("error_file", self._errors(state)),
        ):
            written[name] = await self._write(state, name, lines)
        cancelled = "cancelling_at" in state.times
        counts = await self._store.counts(state.id)
        end = "cancelled" if cancelled else "expired" if counts.waiting else "completed"
        await self._store.move(state.id, ("finalizing",), end, **written)

    async def _write(
        self, state: BatchState, name: str, lines: AsyncGenerator[bytes]
    ) -> str | None:
        first = await anext(lines, None)
        if first is None:
            return None

        async def all_of_them() -> AsyncGenerator[bytes]:
            yield first
            async for line in lines:
                yield line

        kind = name.removesuffix("_file")
        file_id = f"file-{kind}-{state.id.removeprefix('batch_')}"
        new = NewFile(
            file_id, state.owner, state.key_id, f"{state.id}_{kind}.jsonl", "batch_output"
        )
        await self._files.write(new, all_of_them())
        return file_id

    async def _ended(self, state: BatchState, kind: str) -> AsyncGenerator[bytes]:
        after = 0
        while rows := await self._store.answers(state.id, kind, after, PAGE):
            for row in rows:
                yield (
                    _unrun(row.custom_id, state)
                    if row.answer is None
                    else (row.answer.encode() + b"\n")
                )
            after = rows[-1].number

    async def _errors(self, state: BatchState) -> AsyncGenerator[bytes]:
        async for line in self._ended(state, FAILED):
            yield line
        async for line in self._ended(state, WAITING):
            yield line


def _done(line: WaitingLine, request_id: str, answer: bytes) -> Ended:
    body = orjson.loads(answer)
    usage = body.get("usage") or {}
    response = {"status_code": 200, "request_id": request_id, "body": body}
    told = _row(line.custom_id, response, None)
    tokens_in = int(usage.get("prompt_tokens") or usage.get("input_tokens") or 0)
    tokens_out = int(usage.get("completion_tokens") or usage.get("output_tokens") or 0)
    return Ended(line.number, DONE, told.decode(), tokens_in, tokens_out)


def _failed(line: WaitingLine, problem: Problem, state: BatchState) -> Ended:
    name = new_id("req")
    body = orjson.loads(body_of(problem, state.endpoint, name))
    response = {"status_code": problem.status, "request_id": name, "body": body}
    return Ended(line.number, FAILED, _row(line.custom_id, response, None).decode())


def _unrun(custom_id: str, state: BatchState) -> bytes:
    if "cancelling_at" in state.times:
        error = {"code": "batch_cancelled", "message": "批次已取消，这一行没有执行。"}
    else:
        error = {"code": "batch_expired", "message": "批次超过 24 小时，这一行没有执行。"}
    return _row(custom_id, None, error) + b"\n"


def _row(custom_id: str, response: object, error: object) -> bytes:
    named = {"id": new_id("batch_req"), "custom_id": custom_id}
    return orjson.dumps({**named, "response": response, "error": error})


def _told(error: LineError) -> dict[str, Any]:
    return {
        "code": error.code,
        "line": error.number,
        "message": error.message,
        "param": error.param,
    }
