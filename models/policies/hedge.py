"""Asks a second upstream as well when the first is slow to begin; the quicker one is kept.

Knows names and a delay; the router sees to it that the second is another upstream, because both
calls share one trace, and the retry budget of the route bounds how often it happens.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from zhengwu.models.begin import StartedReply
from zhengwu.models.errors import ModelError
from zhengwu.models.route import Route
from zhengwu.models.upstream import Call, Reply, Routes

Opening = AbstractAsyncContextManager[Reply]


@dataclass(frozen=True)
class Hedged:
    """Opens short calls of routes with a hedge at two upstreams, if the first is slow."""

    inner: Routes
    routes: Mapping[str, Route]

    @asynccontextmanager
    async def open(self, alias: str, call: Call) -> AsyncGenerator[Reply]:
        """Open the call; the slower of two answers is given up before it costs more."""
        route = self.routes.get(alias)
        hedge = route.hedge if route else None
        if hedge is None or not 0 < call.tokens <= hedge.tokens:
            async with self.inner.open(alias, call) as reply:
                yield reply
            return
        opening, reply = await self._race(alias, call, hedge.after_s)
        if isinstance(reply, StartedReply):
            call.attempts.answered = reply.upstream
        try:
            yield reply
        except BaseException:
            if not await opening.__aexit__(*sys.exc_info()):
                raise
        else:
            await opening.__aexit__(None, None, None)

    async def _race(self, alias: str, call: Call, after_s: float) -> tuple[Opening, Reply]:
        running: dict[asyncio.Task[Reply], Opening] = {}
        first: ModelError | None = None

        def start() -> None:
            opening = self.inner.open(alias, call)
            running[asyncio.create_task(_enter(opening))] = opening

        start()
        timeout: float | None = after_s
        try:
            while running:
                done, _ = await asyncio.wait(
                    running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    timeout = None
                    start()
                for task in done:
                    opening = running.pop(task)
                    try:
                        return opening, task.result()
                    except ModelError as error:
                        first = first or error
                        timeout = None
        finally:
            await _give_up(running)
        assert first is not None
        raise first


async def _enter(opening: Opening) -> Reply:
    return await opening.__aenter__()


async def _give_up(running: Mapping[asyncio.Task[Reply], Opening]) -> None:
    for task, opening in running.items():
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and task.exception() is None:
            await opening.__aexit__(None, None, None)
