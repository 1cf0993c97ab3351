"""Streams that stop when the reader leaves. Knows ASGI; knows nothing of what is streamed.

Starlette notices a reader who left only at the next write. An answer may think for seconds
between two writes, on a processor that others wait for, so here the hang-up itself cancels.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.errors import from_error
from zhengwu.gateway.metrics import Metrics
from zhengwu.gateway.reply import note, send_problem

KEEP_ALIVE_S = 10.0
KEEP_ALIVE = b": keep-alive\n\n"
SSE_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}

T = TypeVar("T")


class ReaderLeft(Exception):
    """The caller hung up before the work was done."""


async def until_left(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled if the caller hangs up.

    Raises:
        ReaderLeft: the caller hung up first.
    """
    task = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ReaderLeft
    finally:
        await _cancel(task, leaving)


class EventStream(Response):
    """Sends `pieces`, whole server-sent events, as they come.

    What fails before the first piece becomes an HTTP error. A comment goes out whenever
    `keep_alive_s` pass in silence after that, so that no proxy takes the stream for dead.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        pieces: AsyncGenerator[bytes],
        metrics: Metrics,
        keep_alive_s: float = KEEP_ALIVE_S,
    ) -> None:
        super().__init__(headers=SSE_HEADERS)
        del self.headers["content-length"]
        self._pieces = pieces
        self._metrics = metrics
        self._keep_alive_s = keep_alive_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        self._metrics.stream(1)
        try:
            await until_left(receive, self._serve(scope, receive, send))
        except ReaderLeft:
            note(scope, outcome="left")
        finally:
            self._metrics.stream(-1)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        # One task runs the generator from beginning to end: what it holds open (time limits,
        # context variables) must not wander between tasks. An answer is small, so the queue
        # has no bound; None marks its end.
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        producer = asyncio.create_task(self._produce(queue))
        try:
            piece = await queue.get()
            if piece is None:
                await producer  # raises what went wrong
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while piece is not None:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                piece = await self._next(queue)
            await producer
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except ZhengwuError as error:
            await send_problem(from_error(error), scope, receive, send)
        finally:
            await _cancel(producer)

    async def _produce(self, queue: asyncio.Queue[bytes | None]) -> None:
        try:
            async with aclosing(self._pieces):
                async for piece in self._pieces:
                    queue.put_nowait(piece)
        finally:
            queue.put_nowait(None)

    async def _next(self, queue: asyncio.Queue[bytes | None]) -> bytes | None:
        try:
            async with asyncio.timeout(self._keep_alive_s):
                return await queue.get()
        except TimeoutError:
            return KEEP_ALIVE


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    """Cancel and wait, so that what the tasks hold is let go before this returns."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at: a failure after a hang-up has no one to be told to
