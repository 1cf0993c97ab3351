"""Streams that stop when the reader leaves. Knows ASGI; knows nothing of what is streamed.

Starlette notices a reader who left only at the next write. An answer may think for seconds
between two writes, on a processor that others wait for, so here the hang-up itself cancels.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.errors import from_error
from zhengwu.gateway.metrics import Metrics
from zhengwu.gateway.reply import note, send_problem

KEEP_ALIVE_S = 10.0
LISTEN_AFTER_S = 0.02
KEEP_ALIVE = b": keep-alive\n\n"
_BODY = "http.response.body"
Headers = list[tuple[bytes, bytes]]
SSE_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]

T = TypeVar("T")


class ReaderLeft(Exception):
    """The caller hung up before the work was done."""


class UntilLeft:
    """Cancels what runs inside it when the caller hangs up, and raises `ReaderLeft` then.

    The request's own task does the work; one that waits for the hang-up is made only where the work
    takes a while.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = False
        self._listening: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        self._task = asyncio.current_task()
        assert self._task is not None, "a request has a task"
        self._cancelling = self._task.cancelling()
        self._timer = asyncio.get_running_loop().call_later(LISTEN_AFTER_S, self._begin)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        self._timer.cancel()
        if self._listening is not None:
            self._listening.cancel()
        if not self._left or kind is not asyncio.CancelledError:
            return
        assert self._task is not None, "entered before"
        if self._task.uncancel() <= self._cancelling:
            raise ReaderLeft from error

    def _begin(self) -> None:
        self._listening = asyncio.ensure_future(self._listen())

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._left = True
        assert self._task is not None, "entered before"
        self._task.cancel()


async def until_left(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled if the caller hangs up.

    Raises:
        ReaderLeft: the caller hung up first.
    """
    async with UntilLeft(receive):
        return await work


class EventSender:
    """Sends whole server-sent events as they come; nothing, not even a head, before the first.

    A comment goes out whenever `keep_alive_s` pass in silence after that, so that no proxy takes
    the stream for dead.
    """

    def __init__(self, send: Send, metrics: Metrics, keep_alive_s: float = KEEP_ALIVE_S) -> None:
        self._send = send
        self._metrics = metrics
        self._keep_alive_s = keep_alive_s
        self.headers: Headers = []
        """Further ones; they go out before the first piece."""
        self.began = False

    async def send_all(self, pieces: AsyncIterator[bytes]) -> None:
        """Send every piece. What `pieces` raises is raised; `began` tells what is left to do."""
        self._metrics.stream(1)
        beat: _Beat | None = None
        try:
            async for piece in pieces:
                if beat is None:
                    await self._start()
                    beat = _Beat(self._send, self._keep_alive_s)
                beat.sent()
                await self._send({"type": _BODY, "body": piece, "more_body": True})
        finally:
            self._metrics.stream(-1)
            if beat is not None:
                await beat.stop()

    async def _start(self) -> None:
        headers = [*SSE_HEADERS, *self.headers]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        self.began = True

    async def end(self, last: bytes = b"") -> None:
        """Send the end, with one more piece before it if there is one."""
        if not self.began:
            await self._start()
        await self._send({"type": _BODY, "body": last, "more_body": False})


class EventStream(Response):
    """Sends `pieces` as `EventSender` does. What fails before the first becomes an HTTP error."""

    media_type = "text/event-stream"

    def __init__(
        self, pieces: AsyncGenerator[bytes], metrics: Metrics, keep_alive_s: float = KEEP_ALIVE_S
    ) -> None:
        super().__init__()
        self._pieces = pieces
        self._metrics = metrics
        self._keep_alive_s = keep_alive_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        sender = EventSender(send, self._metrics, self._keep_alive_s)
        try:
            async with UntilLeft(receive), aclosing(self._pieces):
                await sender.send_all(self._pieces)
        except ReaderLeft:
            note(scope, outcome="left")
        except ZhengwuError as error:
            if sender.began:
                raise
            await send_problem(from_error(error), scope, receive, send)
        else:
            await sender.end()


class _Beat:
    """Sends a comment whenever nothing was sent for `every_s`."""

    def __init__(self, send: Send, every_s: float) -> None:
        self._send = send
        self._every_s = every_s
        self._loop = asyncio.get_running_loop()
        self._sending: asyncio.Task[None] | None = None
        self.sent()
        self._timer = self._loop.call_later(every_s, self._look)

    def sent(self) -> None:
        """Something is being sent now."""
        self._last = self._loop.time()

    def _look(self) -> None:
        if self._loop.time() - self._last >= self._every_s:
            if self._sending is None or self._sending.done():
                self._sending = self._loop.create_task(self._comment())
            self.sent()
        self._timer = self._loop.call_at(self._last + self._every_s, self._look)

    async def _comment(self) -> None:
        with suppress(OSError):  # whoever left is noticed elsewhere
            await self._send({"type": _BODY, "body": KEEP_ALIVE, "more_body": True})

    async def stop(self) -> None:
        """Send no more."""
        self._timer.cancel()
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])
