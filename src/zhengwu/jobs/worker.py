"""The loop of `zhengwu worker`: take a job, run its handler, renew the lease meanwhile.

Beside the jobs it runs background work (filling vectors) step by step, so that a new document
never waits for vectors of old ones. Knows no kind of job.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from zhengwu.errors import ZhengwuError
from zhengwu.jobs.queue import JobQueue, Leased

log = logging.getLogger(__name__)

RENEW_S = 5.0


@dataclass(frozen=True)
class Again:
    """What a handler returns whose job is not done: it is taken up again after a while."""

    after: timedelta = timedelta(0)


Report = Callable[[float], None]
Handler = Callable[[dict[str, Any], Report], Awaitable[dict[str, Any] | Again]]
Background = Callable[[], Awaitable[bool]]
"""One step of background work; False when there was nothing to do."""


class Worker:
    """Runs jobs one after another until asked to stop."""

    def __init__(
        self,
        queue: JobQueue,
        handlers: Mapping[str, Handler],
        background: Background,
        idle_s: float,
    ) -> None:
        self._queue = queue
        self._handlers = handlers
        self._background = background
        self._idle_s = idle_s
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """End after the job in hand."""
        self._stop.set()

    async def run(self) -> None:
        """Work until `stop`."""
        beside = asyncio.create_task(self._beside())
        try:
            while not self._stop.is_set():
                job = await self._queue.lease()
                if job:
                    await self.work(job)
                else:
                    await self._idle()
        finally:
            await _end(beside)

    async def work(self, job: Leased) -> None:
        """Run one job and record how it ended."""
        handler = self._handlers.get(job.kind)
        if handler is None:
            known = "、".join(self._handlers)
            await self._queue.failed(job, f"未知的任务类型“{job.kind}”，可用：{known}")
            return
        progress = [0.0]
        renewing = asyncio.create_task(self._renew(job, progress))
        try:
            result = await handler(job.payload, lambda p: progress.__setitem__(0, p))
        except asyncio.CancelledError:
            await self._queue.again(job, timedelta(0))  # whoever comes next goes on
            raise
        except ZhengwuError as error:
            await self._queue.failed(job, str(error))
        except Exception as error:
            log.exception("job %s failed", job.id)
            await self._queue.failed(job, f"内部错误 {type(error).__name__}，详见日志；请联系运维")
        else:
            if isinstance(result, Again):
                await self._queue.again(job, result.after)
            else:
                await self._queue.done(job, result)
        finally:
            await _end(renewing)

    async def _beside(self) -> None:
        """Background work for as long as the worker runs; a failed step is tried again."""
        while not self._stop.is_set():
            try:
                busy = await self._background()
            except ZhengwuError as error:
                log.warning("background work failed: %s", error)
                busy = False
            except Exception:
                log.exception("background work failed")
                busy = False
            if not busy:
                await self._idle()

    async def _idle(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), self._idle_s)

    async def _renew(self, job: Leased, progress: list[float]) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self._queue.renew(job, progress[0])
            except SQLAlchemyError as error:
                log.warning("lease of job %s not renewed: %s", job.id, error)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
