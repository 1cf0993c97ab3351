"""Runs what was asked for later: batches and responses in the background.

In the gateway, not in `zhengwu worker`: limits on SQLite and the queue's priorities are the
gateway's own, and a batch must stand behind citizens in that very queue.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.wire.asked import Asked
from zhengwu.gateway.wire.batches.run import BatchRunner, CallersById
from zhengwu.gateway.wire.batches.store import JOB as BATCH_JOB
from zhengwu.gateway.wire.parts import WireParts
from zhengwu.gateway.wire.perform import Performer
from zhengwu.gateway.wire.responses.run import JOB as RESPONSE_JOB
from zhengwu.gateway.wire.responses.run import Responses
from zhengwu.gateway.wire.responses.store import ResponseStore
from zhengwu.gateway.wire.responses.writer import new_id
from zhengwu.jobs.queue import JobQueue, Lane
from zhengwu.jobs.worker import Handler, Report, Worker

KINDS = (RESPONSE_JOB, BATCH_JOB)
"""Each has a lane of its own: neither waits for the other."""
IDLE_S = 1.0


class ResponseRunner:
    """The handler of responses in the background."""

    def __init__(self, responses: Responses, store: ResponseStore, callers: CallersById) -> None:
        self._responses = responses
        self._store = store
        self._callers = callers

    async def handle(self, payload: dict[str, Any], report: Report) -> dict[str, Any]:
        """Write one response, unless it was cancelled or deleted."""
        response_id = str(payload["response"])
        owner = await self._store.owner(response_id)
        if owner is None:
            return {"gone": True}
        stored = await self._store.get(owner, response_id)
        try:
            caller = await self._callers.by_id(stored.key_id)
            asked = Asked(caller, new_id("req"), stored.declared, stored.grade, "/v1/responses")
            await self._responses.run(asked, stored)
        except ZhengwuError as error:
            await self._responses.give_up(stored, error)
            return {"status": "failed"}
        return {"status": (await self._store.get(owner, response_id)).status}


def later_handlers(
    wire: WireParts, callers: CallersById, busy: Callable[[], Awaitable[bool]], at_once: int
) -> Mapping[str, Handler]:
    """The handler of each kind of job."""
    performer = Performer(wire.opens, wire.responses)
    batches = BatchRunner(wire.batches, wire.files, performer, callers, busy, at_once)
    responses = ResponseRunner(wire.responses, wire.response_store, callers)
    return {RESPONSE_JOB: responses.handle, BATCH_JOB: batches.handle}


@asynccontextmanager
async def working_later(
    engine: AsyncEngine, handlers: Mapping[str, Handler], idle_s: float = IDLE_S
) -> AsyncGenerator[None]:
    """Work on each kind of job until the context is left; what is in hand is given back then."""
    name = f"gateway-{os.uname().nodename}-{os.getpid()}-{uuid4().hex[:6]}"
    tasks: list[asyncio.Task[None]] = []
    for kind, handler in handlers.items():
        lane = JobQueue(engine, name, Lane((kind,), only=True))
        worker = Worker(lane, {kind: handler}, _nothing, idle_s)
        tasks.append(asyncio.create_task(worker.run()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _nothing() -> bool:
    return False
