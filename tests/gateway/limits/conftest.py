"""Both stores of counters behind one fixture, on real databases, with a clock that tests turn."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.engine import is_sqlite, open_database
from zhengwu.db.migrate import migrate
from zhengwu.gateway.governed.caller import Caller, Limit
from zhengwu.gateway.governed.ports import Ask
from zhengwu.gateway.limits.limiter import CountedLimits
from zhengwu.gateway.limits.memory import MemoryCounters
from zhengwu.gateway.limits.postgres import PostgresCounters

NOON_US = 1_795_579_200_000_000  # 2026-11-24T12:00+08:00


@dataclass
class Clock:
    """A moment that only tests move."""

    now_us: int = NOON_US

    def __call__(self) -> int:
        return self.now_us

    def tick(self, seconds: float) -> None:
        self.now_us += round(seconds * 1_000_000)


@dataclass
class Store:
    """Opens counters on one database, as a gateway that starts does."""

    url: str
    folder: Path
    engine: AsyncEngine
    clock: Clock = field(default_factory=Clock)

    async def open(self) -> MemoryCounters | PostgresCounters:
        if is_sqlite(self.url):
            return await MemoryCounters.open(self.engine, self.folder, self.clock)
        counters = PostgresCounters(self.url, self.clock)
        await counters.join()
        counters.start()
        return counters

    @asynccontextmanager
    async def limits(self) -> AsyncGenerator[CountedLimits]:
        counters = await self.open()
        yield CountedLimits(counters)
        await counters.close()


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    opened = open_database(database_url)
    await migrate(opened)
    yield opened
    await opened.dispose()


@pytest.fixture
async def store(database_url: str, engine: AsyncEngine, tmp_path: Path) -> Store:
    return Store(database_url, tmp_path / "journal", engine)


@pytest.fixture
async def limits(store: Store) -> AsyncIterator[CountedLimits]:
    async with store.limits() as opened:
        yield opened


def caller(*limits: Limit) -> Caller:
    return Caller("k1", "测试", ("p", "c"), limits=limits)


def ask(input_tokens: int = 10, output_tokens: int = 10, cost: int = 100) -> Ask:
    return Ask("r", "m", input_tokens, output_tokens, cost)
