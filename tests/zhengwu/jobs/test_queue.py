"""The job table: no job twice, none lost, on both databases."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.tables import Job, now
from zhengwu.jobs.queue import LEASE, MAX_ATTEMPTS, JobQueue, Leased

SRC = Path(__file__).resolve().parents[3] / "src"
HOLD = """
import asyncio, sys
from zhengwu.db.engine import open_database
from zhengwu.jobs.queue import JobQueue

async def main():
    job = await JobQueue(open_database(sys.argv[1]), "killed").lease()
    print(job.id, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def row(engine: AsyncEngine, job: int) -> Row[Any]:
    async with engine.connect() as connection:
        return (await connection.execute(select(Job.__table__).where(Job.id == job))).one()


async def let_lapse(engine: AsyncEngine, job: int) -> None:
    """As if the lease had been taken long ago."""
    async with engine.begin() as connection:
        past = now() - timedelta(seconds=1)
        await connection.execute(update(Job).where(Job.id == job).values(lease_until=past))


async def taken(queue: JobQueue) -> Leased:
    job = await queue.lease()
    assert job is not None
    return job


async def test_jobs_come_in_order_and_once(engine: AsyncEngine) -> None:
    queue = JobQueue(engine, "w1")
    first = await queue.put("parse", {"path": "一.pdf", "n": [1, None]})
    second = await queue.put("ocr", {})
    job = await taken(queue)
    assert (job.id, job.kind, job.attempts) == (first, "parse", 1)
    assert job.payload == {"path": "一.pdf", "n": [1, None]}
    assert (await taken(queue)).id == second
    assert await queue.lease() is None
    held = await row(engine, first)
    assert (held.status, held.worker) == ("running", "w1")


async def test_a_job_that_is_not_due_waits(engine: AsyncEngine) -> None:
    queue = JobQueue(engine)
    job = await queue.put("k", {})
    async with engine.begin() as connection:
        await connection.execute(update(Job).values(due=now() + timedelta(hours=1)))
    assert await queue.lease() is None
    async with engine.begin() as connection:
        await connection.execute(update(Job).values(due=now() - timedelta(hours=1)))
    assert (await taken(queue)).id == job


async def test_done_and_failed_are_recorded(engine: AsyncEngine) -> None:
    queue = JobQueue(engine)
    for _ in range(3):
        await queue.put("k", {})
    done, failed = await taken(queue), await taken(queue)
    await queue.done(done, {"chunks": 3})
    await queue.failed(failed, "文件已加密，请解除密码后重新提交")
    ended = await row(engine, done.id)
    assert (ended.status, ended.result, ended.lease_until) == ("done", {"chunks": 3}, None)
    assert ended.finished is not None
    broken = await row(engine, failed.id)
    assert (broken.status, broken.error) == ("failed", "文件已加密，请解除密码后重新提交")
    assert await queue.counts() == {"done": 1, "failed": 1, "queued": 1}


async def test_a_renewed_lease_does_not_lapse(engine: AsyncEngine) -> None:
    queue = JobQueue(engine)
    await queue.put("k", {})
    job = await taken(queue)
    await let_lapse(engine, job.id)
    await queue.renew(job, 0.5)
    assert await queue.lease() is None
    held = await row(engine, job.id)
    assert held.progress == 0.5
    until = (
        held.lease_until
        if held.lease_until.tzinfo
        else held.lease_until.replace(tzinfo=now().tzinfo)
    )
    assert timedelta(seconds=30) < until - now() <= LEASE


async def test_a_lapsed_lease_is_taken_up_and_the_old_holder_is_out(engine: AsyncEngine) -> None:
    slow, quick = JobQueue(engine, "same name"), JobQueue(engine, "same name")
    await slow.put("k", {})
    old = await taken(slow)
    await let_lapse(engine, old.id)
    new = await taken(quick)
    assert (new.id, new.attempts) == (old.id, 2)
    await slow.renew(old, 0.9)
    await slow.failed(old, "too late")
    await slow.done(old, {"by": "slow"})
    held = await row(engine, old.id)
    assert (held.status, held.progress) == ("running", 0.0)
    await quick.done(new, {"by": "quick"})
    await slow.done(old, {"by": "slow"})
    assert (await row(engine, old.id)).result == {"by": "quick"}


async def test_a_job_that_kills_its_workers_is_failed_with_a_reason(engine: AsyncEngine) -> None:
    queue = JobQueue(engine)
    deadly = await queue.put("k", {})
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert (await taken(queue)).attempts == attempt
        await let_lapse(engine, deadly)
    harmless = await queue.put("k", {})
    assert (await taken(queue)).id == harmless, "the next job is not held up"
    failed = await row(engine, deadly)
    assert failed.status == "failed"
    assert f"{MAX_ATTEMPTS} 次" in failed.error and "重新提交" in failed.error
    assert await queue.lease() is None


async def test_two_workers_never_get_the_same_job(engine: AsyncEngine) -> None:
    queues = [JobQueue(engine, f"w{n}") for n in range(4)]
    put = [await queues[0].put("k", {"n": n}) for n in range(40)]

    async def drain(queue: JobQueue) -> list[int]:
        got: list[int] = []
        while job := await queue.lease():
            got.append(job.id)
            await queue.done(job, {})
        return got

    got = await asyncio.gather(*map(drain, queues))
    # A worker may see nothing while others hold what is left, but between them they get all.
    rest = await drain(queues[0])
    assert sorted([*(job for each in got for job in each), *rest]) == put


async def test_a_killed_workers_job_is_taken_up_again(
    engine: AsyncEngine, database_url: str
) -> None:
    queue = JobQueue(engine, "next")
    job = await queue.put("k", {"file": "x"})
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, database_url],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(SRC)},
    )
    assert holder.stdout is not None
    assert int(await asyncio.to_thread(holder.stdout.readline)) == job
    assert await queue.lease() is None, "held by the other process"
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    await let_lapse(engine, job)
    again = await taken(queue)
    assert (again.id, again.attempts, again.payload) == (job, 2, {"file": "x"})
    await queue.done(again, {})
    assert await queue.counts() == {"done": 1}


@pytest.mark.parametrize("size", [1, 1_000_000])
async def test_payloads_are_kept_whole(engine: AsyncEngine, size: int) -> None:
    queue = JobQueue(engine)
    await queue.put("k", {"text": "政" * size})
    assert (await taken(queue)).payload == {"text": "政" * size}
