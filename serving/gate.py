"""Admission to one engine replica: so many at work, so many in line, one more is refused.

Knows nothing of HTTP. Ray Serve's own limits stay behind it as a backstop; they could not tell
a health check from a question, so a full engine would look dead.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from zhengwu.serving.errors import QueueFull


class Gate:
    """Counts requests. One event loop only."""

    def __init__(self, at_work: int, in_line: int, retry_after_s: int) -> None:
        """At most `at_work` requests run, at most `in_line` wait."""
        self.at_work = at_work
        self.in_line = in_line
        self._retry_after_s = retry_after_s
        self._slots = asyncio.Semaphore(at_work)
        self._running = 0
        self._waiting = 0

    @property
    def running(self) -> int:
        """Requests the engine works on now."""
        return self._running

    @property
    def waiting(self) -> int:
        """Requests in line."""
        return self._waiting

    @asynccontextmanager
    async def enter(self) -> AsyncGenerator[None]:
        """Wait for a place, hold it, give it back.

        Raises:
            QueueFull: the line is full.
        """
        if self._slots.locked() and self._waiting >= self.in_line:
            raise QueueFull(
                f"模型正忙：{self._running} 个请求在处理，{self._waiting} 个在排队。"
                f"请 {self._retry_after_s} 秒后重试。",
                self._retry_after_s,
            )
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._slots.release()
