"""One gateway process of the load: reserves, works a moment, settles, and writes a ledger.

Run as `python -m zhengwu.gateway.limits.bench.worker JSON`; JSON names the ledger's file.
"""

import asyncio
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import TextIO

import orjson
import uvloop
from pydantic import TypeAdapter

from zhengwu.db.engine import is_sqlite, open_database
from zhengwu.gateway.errors import LimitReached, LimitsUnavailable
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.ports import Ask, Spent
from zhengwu.gateway.limits.bench.load import Sizes, callers, request
from zhengwu.gateway.limits.kinds import amounts
from zhengwu.gateway.limits.leases import RedisLeases
from zhengwu.gateway.limits.limiter import CountedLimits
from zhengwu.gateway.limits.memory import MemoryCounters
from zhengwu.gateway.limits.postgres import PostgresCounters

PAUSE_S = 0.05
"""After a refusal: an impatient client, who does not heed Retry-After."""


@dataclass(frozen=True)
class Order:
    """What one worker does."""

    url: str
    redis_url: str | None
    clients: int
    seconds: float
    seed: int
    ledger: str
    sizes: Sizes
    work_s: float = 0.02
    """How long a request takes, on average."""

    def argument(self) -> str:
        """It as one argument of a command line."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def read(cls, argument: str) -> "Order":
        """What `argument` wrote."""
        return TypeAdapter(cls).validate_json(argument)


def now_us() -> int:
    """This machine's moment; the bench runs on the database's machine."""
    return time.time_ns() // 1000


class Worker:
    """Clients of one gateway."""

    def __init__(self, order: Order, limits: CountedLimits, ledger: TextIO) -> None:
        self._order = order
        self._limits = limits
        self._ledger = ledger
        self._callers = callers(order.sizes)
        self._end = time.monotonic() + order.seconds

    async def run(self) -> None:
        """Every client until the end."""
        await asyncio.gather(*(self._client(n) for n in range(self._order.clients)))

    async def _client(self, number: int) -> None:
        chance = Random(self._order.seed * 100_003 + number)
        while time.monotonic() < self._end:
            who = chance.choice(self._callers)
            ask, spent = request(chance)
            began = time.perf_counter()
            try:
                held = await self._limits.reserve(who, ask)
            except LimitReached as refused:
                self._refused(who, ask, refused, time.perf_counter() - began)
                await asyncio.sleep(PAUSE_S)
                continue
            except LimitsUnavailable:
                self._write("unavailable", now_us())
                continue
            waited = time.perf_counter() - began
            await asyncio.sleep(chance.uniform(0, 2 * self._order.work_s))
            before = now_us()
            await held.settle(spent)
            self._took(who, ask, spent, held.taken.moment_us, before, waited)

    def _took(
        self, who: Caller, ask: Ask, spent: Spent, moment: int, before: int, waited: float
    ) -> None:
        held = amounts(ask.input_tokens, ask.output_tokens, ask.cost)
        cost = amounts(spent.input_tokens, spent.output_tokens, spent.cost)
        self._write("took", moment, who.key_id, held, cost, before, now_us(), round(waited, 6))

    def _refused(self, who: Caller, ask: Ask, refused: LimitReached, waited: float) -> None:
        asked = amounts(ask.input_tokens, ask.output_tokens, ask.cost)
        limit = refused.limit
        told = (limit.scope, limit.kind, limit.amount, refused.used, refused.wait_s)
        self._write("refused", refused.moment_us, who.key_id, asked, *told, round(waited, 6))

    def _write(self, *line: object) -> None:
        self._ledger.write(orjson.dumps(line).decode() + "\n")


async def work(order: Order) -> None:
    """Join, push, leave."""
    counters = await _open(order)
    with Path(order.ledger).open("w", encoding="utf-8") as ledger:
        await Worker(order, CountedLimits(counters), ledger).run()
    await counters.close()


async def _open(order: Order) -> MemoryCounters | PostgresCounters:
    if is_sqlite(order.url):
        return await MemoryCounters.open(open_database(order.url), Path(order.ledger).parent)
    leases = RedisLeases(order.redis_url) if order.redis_url else None
    return await PostgresCounters.open(order.url, leases)


if __name__ == "__main__":
    uvloop.run(work(Order.read(sys.argv[1])))
