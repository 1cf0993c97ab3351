"""Documents come in directly, or through the worker, with the same report."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.rag.shelf import quiet, write

from zhengwu.jobs.queue import JobQueue
from zhengwu.jobs.worker import Worker
from zhengwu.rag.errors import BadName, RagError, WriterBusy
from zhengwu.rag.index.generation import write_lock
from zhengwu.rag.ingest import IngestReport
from zhengwu.rag.intake import JOB, Intake
from zhengwu.settings import Settings, read_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings(home=tmp_path, max_upload_mb=1)


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    write(tmp_path / "in", "a.md", "灯塔条例", "灯塔许可应当登记。")
    write(tmp_path / "in", "b.md", "渔船办法", "渔船补贴九百元。")
    return tmp_path / "in"


def intake(engine: AsyncEngine, settings: Settings, running: bool) -> Intake:
    return Intake(engine, settings, JobQueue(engine), running)


async def idle() -> bool:
    return False


async def beside_a_worker(
    engine: AsyncEngine, settings: Settings, asking: Awaitable[IngestReport]
) -> IngestReport:
    queue = JobQueue(engine, "worker")
    worker = Worker(queue, {JOB: intake(engine, settings, False).handle}, idle, 0.05)
    working = asyncio.create_task(worker.run())
    try:
        return await asking
    finally:
        worker.stop()
        await working


@pytest.mark.parametrize("running", [False, True])
async def test_both_ways_give_the_same_report(
    engine: AsyncEngine, settings: Settings, papers: Path, running: bool
) -> None:
    (papers / "c.docx").write_bytes(b"not a document")
    (papers / "big.txt").write_text("字" * 500_000, encoding="utf-8")
    seen: list[tuple[int, int]] = []
    asking = intake(engine, settings, running).take(
        "k", [papers], lambda done, total, last: seen.append((done, total))
    )
    report = await (beside_a_worker(engine, settings, asking) if running else asking)
    assert sorted(report.added) == ["a", "b"] and report.chunks == 2
    assert {Path(path).name for path in report.failed} == {"big.txt", "c.docx"}
    assert seen[-1][0] == seen[-1][1] or running
    again = intake(engine, settings, False)
    assert sorted((await again.take("k", [papers], quiet)).unchanged) == ["a", "b"]


@pytest.mark.parametrize("running", [False, True])
async def test_what_is_not_there_is_told_before_anything_is_queued(
    engine: AsyncEngine, settings: Settings, papers: Path, running: bool
) -> None:
    taking = intake(engine, settings, running)
    with pytest.raises(RagError, match="无.md.*请检查路径"):
        await taking.take("k", [papers, papers / "无.md"], quiet)
    with pytest.raises(RagError, match="用法"):
        await taking.take("k", [], quiet)
    assert await JobQueue(engine).counts() == {}


async def test_a_job_that_fails_says_why(
    engine: AsyncEngine, settings: Settings, papers: Path
) -> None:
    with pytest.raises(BadName, match="不 行"):
        await intake(engine, settings, False).take("不 行", [papers], quiet)
    asking = intake(engine, settings, True).take("不 行", [papers], quiet)
    with pytest.raises(RagError, match="导入任务.*失败.*不 行"):
        await beside_a_worker(engine, settings, asking)


async def test_a_second_writer_is_told_and_a_job_waits(
    engine: AsyncEngine, settings: Settings, papers: Path
) -> None:
    lock = write_lock(settings.store_dir, 0.5)
    try:
        with pytest.raises(WriterBusy):
            await intake(engine, settings, False).take("k", [papers], quiet)
        queued = intake(engine, settings, True).take("k", [papers], quiet)
        asking = asyncio.create_task(beside_a_worker(engine, settings, queued))
        await asyncio.sleep(1.5)
        assert not asking.done()
    finally:
        lock.release()
    report = await asking
    assert len(report.added) == 2
