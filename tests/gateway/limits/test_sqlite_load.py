"""A gateway, a worker and a command line write one SQLite file at once: no lock error."""

import asyncio
import sys
from pathlib import Path

from sqlalchemy import func, select
from tests.gateway.limits.conftest import ask, caller

from zhengwu.db.engine import open_database
from zhengwu.db.migrate import migrate
from zhengwu.db.tables import Job, LimitCounter
from zhengwu.gateway.governed.caller import Limit
from zhengwu.gateway.governed.ports import Spent
from zhengwu.gateway.limits.limiter import CountedLimits
from zhengwu.gateway.limits.memory import MemoryCounters

SRC = Path(__file__).resolve().parents[3] / "src"
OTHERS, EACH, ROUNDS = 3, 400, 60
WRITE = """
import asyncio, sys
from zhengwu.db.engine import open_database
from zhengwu.jobs.queue import JobQueue

async def main(url, times):
    engine = open_database(url)
    queue = JobQueue(engine, "other")
    for number in range(times // 2):
        await queue.put("k", {})
        job = await queue.lease()
        if job: await queue.done(job, {})
    await engine.dispose()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_gateway_worker_and_command_line_write_at_once(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'one.db'}"
    engine = open_database(url)
    await migrate(engine)
    others = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", WRITE, url, str(EACH)),
            env={"PYTHONPATH": str(SRC)},
            stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(OTHERS)
    ]
    counters = await MemoryCounters.open(engine, tmp_path / "run")
    limits, who = CountedLimits(counters), caller(Limit("key:k1", "budget_month", 10**9))
    for _ in range(ROUNDS):
        held = [await limits.reserve(who, ask()) for _ in range(50)]
        for each in held:
            await each.settle(Spent(1, 1, 60))
        await counters.write()
    for process in others:
        _, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
    await counters.close()
    async with engine.connect() as connection:
        jobs = await connection.scalar(select(func.count()).select_from(Job))
        assert jobs == OTHERS * EACH // 2
        assert await connection.scalar(select(LimitCounter.used)) == ROUNDS * 50 * 60
    await engine.dispose()
