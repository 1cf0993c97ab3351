"""Where documents come in: directly when nothing runs, else through the worker, the only writer.

Knows the queue and the ingestor; both ways give the same report.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.datasets.parse import Limits
from zhengwu.jobs.queue import JobQueue
from zhengwu.jobs.worker import Report
from zhengwu.rag.errors import RagError
from zhengwu.rag.ingest import Ingestor, IngestReport, Progress
from zhengwu.settings import Settings

JOB = "ingest"
LOOK_S = 0.3


class Intake:
    """Takes documents in for one home."""

    def __init__(
        self, engine: AsyncEngine, settings: Settings, queue: JobQueue, running: bool
    ) -> None:
        limits = Limits(max_mb=settings.max_upload_mb)
        self._ingestor = Ingestor(engine, settings.store_dir, limits)
        self._queue = queue
        self._running = running

    async def take(self, kb: str, paths: Sequence[Path], progress: Progress) -> IngestReport:
        """Ingest `paths`; with a stack running, as a job of its worker.

        Raises:
            RagError: nothing was given, a path is not there, or the job failed.
        """
        if not paths:
            raise RagError("没有给出文件或目录；用法：zhengwu kb ingest 路径 --kb 名称")
        missing = [str(path) for path in paths if not path.exists()]
        if missing:
            raise RagError(f"找不到 {'、'.join(missing)}；请检查路径")
        if not self._running:
            return await self._ingestor.ingest(kb, paths, progress)
        job = await self._queue.put(JOB, {"kb": kb, "paths": [str(path) for path in paths]})
        return await self._wait(job, progress)

    async def handle(self, payload: dict[str, Any], report: Report) -> dict[str, Any]:
        """Run one job of the queue: the worker's side."""
        paths = [Path(path) for path in payload["paths"]]

        def progress(done: int, total: int, last: str) -> None:
            report(done / total if total else 1.0)

        # The worker itself fills vectors and may hold the lock for a moment.
        return asdict(await self._ingestor.ingest(payload["kb"], paths, progress, wait_s=120))

    async def _wait(self, job: int, progress: Progress) -> IngestReport:
        while True:
            state = await self._queue.look(job)
            progress(round(state.progress * 100), 100, "")
            if state.status == "done":
                return IngestReport(**(state.result or {}))
            if state.status == "failed":
                raise RagError(f"导入任务 {job} 失败：{state.error}")
            await asyncio.sleep(LOOK_S)
