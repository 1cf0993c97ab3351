"""kill -9: nothing spent is forgotten, nothing reserved hangs for ever, on both databases."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.limits.conftest import NOON_US, Clock, Store, ask
from tests.gateway.limits.killed import LIMITS

from zhengwu.db.tables import LimitLapse
from zhengwu.gateway.errors import LimitReached
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.ports import Spent
from zhengwu.gateway.limits.limiter import CountedLimits
from zhengwu.gateway.limits.memory import MemoryCounters, wall_us
from zhengwu.gateway.limits.postgres import LEASE_US, PostgresCounters

SRC = Path(__file__).resolve().parents[3] / "src"
BUDGET, PLACES, _ = LIMITS
SPENT = Spent(1, 1, 70)
POSTGRES = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def _kill_one(store: Store, size: int) -> None:
    child = Path(__file__).parent / "killed.py"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(child), store.url, str(store.folder), str(size)),
        env={**os.environ, "PYTHONPATH": str(SRC)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"open\n"
    process.kill()
    await process.wait()


async def _lapsed(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return await connection.scalar(select(func.sum(LimitLapse.amount))) or 0


async def test_what_a_killed_gateway_took_is_accounted_for(
    store: Store, engine: AsyncEngine
) -> None:
    await _kill_one(store, 40)
    store.clock.now_us = wall_us()
    counters = await store.open()
    limits = CountedLimits(counters)
    if isinstance(counters, PostgresCounters):
        taken = await limits.usage(PLACES)
        assert taken.reserved == 20, "another gateway does not know yet that it died"
        store.clock.tick(LEASE_US / 1e6 + 1)
        assert len(await counters.reap()) >= 1
        store.clock.tick(-LEASE_US / 1e6 - 1)
    budget, places, tokens = [await limits.usage(limit) for limit in LIMITS]
    assert (places.used, places.reserved) == (0, 0)
    assert (budget.used, budget.reserved) == (20 * 50 + 20 * 100, 0)
    assert tokens.used == 20 * 10 + 20 * 20
    assert await _lapsed(engine) == 20 * 100
    await counters.close()


async def test_killed_twice_counts_once(store: Store) -> None:
    for _ in range(2):
        await _kill_one(store, 10)
    store.clock.now_us = wall_us()
    counters = await store.open()
    if isinstance(counters, PostgresCounters):
        store.clock.tick(LEASE_US / 1e6 + 1)
        await counters.reap()
    usage = await CountedLimits(counters).usage(BUDGET)
    assert usage.used + usage.reserved == 2 * (5 * 50 + 5 * 100)
    await counters.close()


@POSTGRES
async def test_a_gateway_given_up_by_mistake_holds_its_own_again(
    store: Store, engine: AsyncEngine
) -> None:
    stalled, other = await store.open(), await store.open()
    assert isinstance(stalled, PostgresCounters) and isinstance(other, PostgresCounters)
    caller = Caller("k1", "测试", limits=LIMITS)
    limits, theirs = CountedLimits(stalled), CountedLimits(other)
    held = [await limits.reserve(caller, ask()) for _ in range(60)]
    was = stalled.id
    async with engine.begin() as connection:
        lapse = f"UPDATE limit_gateways SET lease_until = 0 WHERE id = '{was}'"
        await connection.exec_driver_sql(lapse)
        given_up = await connection.exec_driver_sql("SELECT limits_reap(1, '{}', '', 0)")
        assert given_up.scalar_one() == was
    assert (await theirs.usage(PLACES)).reserved == 0
    await (await limits.reserve(caller, ask())).settle(SPENT)
    assert stalled.id != was
    assert (await theirs.usage(PLACES)).reserved == 60
    assert (await theirs.usage(BUDGET)).reserved == 6000
    assert await _lapsed(engine) == 0
    for _ in range(40):
        await theirs.reserve(caller, ask())
    with pytest.raises(LimitReached):
        await theirs.reserve(caller, ask())
    for each in held:
        await each.settle(SPENT)
    assert (await theirs.usage(BUDGET)).used == 61 * 70
    await stalled.close()
    await other.close()


@POSTGRES
async def test_a_broken_connection_applies_nothing_twice(store: Store, engine: AsyncEngine) -> None:
    counters = await store.open()
    limits, caller = CountedLimits(counters), Caller("k1", "测试", limits=LIMITS)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    cut += " AND datname = current_database() AND position('limits_batch' in query) > 0"

    async def cutting() -> None:
        for _ in range(8):
            async with engine.begin() as connection:
                await connection.exec_driver_sql(cut)
            await asyncio.sleep(0.02)

    async def one() -> None:
        held = await limits.reserve(caller, ask())
        await held.settle(SPENT)

    async def client() -> None:
        for _ in range(30):
            await one()

    await asyncio.gather(cutting(), *(client() for _ in range(10)))
    usage = await limits.usage(BUDGET)
    assert (usage.used, usage.reserved) == (300 * 70, 0)
    assert (await limits.usage(PLACES)).used == 0
    await counters.close()


async def test_a_caller_who_leaves_while_waiting_holds_nothing(store: Store) -> None:
    counters = await store.open()
    limits, caller = CountedLimits(counters), Caller("k1", "测试", limits=LIMITS)
    await (await limits.reserve(caller, ask())).settle(SPENT)
    waiting = [asyncio.create_task(limits.reserve(caller, ask())) for _ in range(30)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    done = await asyncio.gather(*waiting, return_exceptions=True)
    for each in done:
        if not isinstance(each, BaseException):
            await each.settle(SPENT)
    left = sum(isinstance(each, BaseException) for each in done)
    await (await limits.reserve(caller, ask())).settle(SPENT)
    usage = await limits.usage(BUDGET)
    assert (usage.used, usage.reserved) == ((32 - left) * 70, 0)
    assert (await limits.usage(PLACES)).used == 0
    await counters.close()


@SQLITE
async def test_a_torn_line_at_the_end_is_passed_over(store: Store) -> None:
    await _kill_one(store, 10)
    last = max(store.folder.glob("limits-*.journal"))
    with last.open("ab") as file:
        file.write(b"[0,123,1,")
    clock = Clock(NOON_US)
    clock.now_us = wall_us()
    for _ in range(2):
        counters = await MemoryCounters.open(store.engine, store.folder, clock)
        usage = await CountedLimits(counters).usage(BUDGET)
        assert usage.used == 5 * 50 + 5 * 100
        await counters.close()
