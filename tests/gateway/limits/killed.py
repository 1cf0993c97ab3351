"""A gateway that takes places until it is killed: `python killed.py URL FOLDER SIZE`.

It settles the first half with half of the money, keeps the other half open, and says so.
"""

import asyncio
import sys
import time
from pathlib import Path

from zhengwu.db.engine import is_sqlite, open_database
from zhengwu.gateway.governed.caller import Caller, Limit
from zhengwu.gateway.governed.ports import Ask, Spent
from zhengwu.gateway.limits.limiter import CountedLimits
from zhengwu.gateway.limits.memory import MemoryCounters
from zhengwu.gateway.limits.postgres import PostgresCounters

LIMITS = (
    Limit("tenant:city", "budget_month", 1_000_000),
    Limit("tenant:city", "concurrency", 100),
    Limit("key:k1", "tokens_per_minute", 1_000_000),
)


async def main(url: str, folder: str, size: int) -> None:
    if is_sqlite(url):
        counters = await MemoryCounters.open(open_database(url), Path(folder))
    else:
        counters = await PostgresCounters.open(url)
    limits = CountedLimits(counters)
    caller = Caller("k1", "测试", limits=LIMITS)
    held = [await limits.reserve(caller, Ask("r", "m", 10, 10, 100)) for _ in range(size)]
    for each in held[: size // 2]:
        await each.settle(Spent(5, 5, 50))
    print("open", flush=True)
    time.sleep(60)  # no beat any more, no write behind: as a process that hangs


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
