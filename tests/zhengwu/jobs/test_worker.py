"""The worker's loop: jobs end as they went, and background work never holds them up."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.engine import open_database
from zhengwu.db.migrate import migrate
from zhengwu.db.tables import Job
from zhengwu.errors import LimitError, OutboundError
from zhengwu.jobs import worker as module
from zhengwu.jobs.queue import JobQueue, Leased
from zhengwu.jobs.worker import Background, Handler, Report, Worker


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncEngine:
    engine = open_database(f"sqlite+aiosqlite:///{tmp_path / 'jobs.db'}")
    await migrate(engine)
    return engine


async def nothing() -> bool:
    return False


async def run_until_idle(
    queue: JobQueue, handlers: Mapping[str, Handler], background: Background = nothing
) -> None:
    """Run a worker until every job has ended."""
    worker = Worker(queue, handlers, background, idle_s=0.01)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(20):
        while {"queued", "running"} & (await queue.counts()).keys():
            await asyncio.sleep(0.01)
    worker.stop()
    async with asyncio.timeout(5):
        await running


async def ends(engine: AsyncEngine) -> list[tuple[str, str | None]]:
    async with engine.connect() as connection:
        rows = await connection.execute(select(Job.status, Job.error).order_by(Job.id))
        found = [(row.status, row.error) for row in rows]
    await engine.dispose()
    return found


async def test_every_end_is_recorded_and_the_next_job_runs(engine: AsyncEngine) -> None:
    queue = JobQueue(engine)

    async def good(payload: dict[str, Any], report: Report) -> dict[str, Any]:
        report(0.5)
        return {"echo": payload["n"]}

    async def refused(payload: dict[str, Any], report: Report) -> dict[str, Any]:
        raise LimitError("文件过大，请拆分")

    async def bug(payload: dict[str, Any], report: Report) -> dict[str, Any]:
        raise KeyError("机密内容")

    for kind in ("refused", "bug", "unheard", "good"):
        await queue.put(kind, {"n": 1})
    await run_until_idle(queue, {"good": good, "refused": refused, "bug": bug})
    refusal, broken, unknown, done = await ends(engine)
    assert refusal == ("failed", "文件过大，请拆分")
    assert broken[0] == "failed" and "KeyError" in str(broken[1]) and "机密" not in str(broken[1])
    assert unknown[0] == "failed" and "unheard" in str(unknown[1]) and "good" in str(unknown[1])
    assert done == ("done", None)


async def test_the_lease_is_renewed_meanwhile_and_survives_a_database_error(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEW_S", 0.01)
    renewed: list[float] = []

    class Counting(JobQueue):
        async def renew(self, job: Leased, progress: float) -> None:
            renewed.append(progress)
            if len(renewed) == 1:
                raise OperationalError("UPDATE", {}, Exception("gone for a moment"))
            await super().renew(job, progress)

    queue = Counting(engine)

    async def slow(payload: dict[str, Any], report: Report) -> dict[str, Any]:
        report(0.25)
        async with asyncio.timeout(10):
            while len(renewed) < 3:
                await asyncio.sleep(0.01)
        return {}

    await queue.put("slow", {})
    await run_until_idle(queue, {"slow": slow})
    assert 0.25 in renewed
    assert await ends(engine) == [("done", None)]


async def test_background_work_never_holds_up_a_job(engine: AsyncEngine) -> None:
    queue = JobQueue(engine)
    started = asyncio.Event()

    async def endless() -> bool:
        started.set()
        await asyncio.sleep(3600)
        return True

    async def job(payload: dict[str, Any], report: Report) -> dict[str, Any]:
        return {"started": started.is_set()}

    worker = Worker(queue, {"job": job}, endless, idle_s=0.01)
    running = asyncio.create_task(worker.run())
    await started.wait()
    await queue.put("job", {})
    async with asyncio.timeout(10):
        while (await queue.counts()).get("done") != 1:
            await asyncio.sleep(0.01)
    worker.stop()
    async with asyncio.timeout(5):
        await running
    await engine.dispose()


@pytest.mark.parametrize("error", [OutboundError("引擎未就绪"), RuntimeError("bug")])
async def test_failing_background_work_is_tried_again(
    engine: AsyncEngine, error: Exception
) -> None:
    tries = 0

    async def failing() -> bool:
        nonlocal tries
        tries += 1
        raise error

    worker = Worker(JobQueue(engine), {}, failing, idle_s=0.01)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(10):
        while tries < 3:
            await asyncio.sleep(0.01)
    worker.stop()
    await running
    await engine.dispose()


async def test_stop_ends_after_the_job_in_hand(engine: AsyncEngine) -> None:
    queue = JobQueue(engine)
    begun, release = asyncio.Event(), asyncio.Event()

    async def held(payload: dict[str, Any], report: Report) -> dict[str, Any]:
        begun.set()
        await release.wait()
        return {}

    for _ in range(2):
        await queue.put("held", {})
    worker = Worker(queue, {"held": held}, nothing, idle_s=0.01)
    running = asyncio.create_task(worker.run())
    await begun.wait()
    worker.stop()
    await asyncio.sleep(0.05)
    assert not running.done()
    release.set()
    async with asyncio.timeout(5):
        await running
    assert await queue.counts() == {"done": 1, "queued": 1}
    await engine.dispose()
