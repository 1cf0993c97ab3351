"""Leases in a real Redis: a stopped Redis is noticed, a new run of it is not taken for deaths."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis
from tests.gateway.limits.conftest import Store
from tests.needs import need

from zhengwu.errors import SettingsError
from zhengwu.gateway.limits.bench.load import Sizes
from zhengwu.gateway.limits.bench.run import Options, bench, pause, redis
from zhengwu.gateway.limits.leases import Leases, LeasesGone, RedisLeases
from zhengwu.gateway.limits.postgres import PostgresCounters

POSTGRES = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


@asynccontextmanager
async def own_redis() -> AsyncGenerator[str]:
    try:
        async with redis(True) as url:
            assert url is not None
            yield url
    except SettingsError as error:
        need(False, str(error))


@pytest.mark.redis
async def test_a_lease_that_is_renewed_is_not_missing() -> None:
    async with own_redis() as url:
        leases = RedisLeases(url)
        run = await leases.renew("a")
        assert await leases.renew("a") == run != ""
        assert await leases.missing(["a", "b"]) == ["b"]
        await leases.close()


@pytest.mark.redis
async def test_a_paused_redis_is_told_from_an_empty_one() -> None:
    async with own_redis() as url:
        leases = RedisLeases(url)
        await leases.renew("a")
        await pause(url, 1.5)
        with pytest.raises(LeasesGone):
            await leases.missing(["a"])
        with pytest.raises(LeasesGone):
            await leases.renew("a")
        await leases.close()


@pytest.mark.redis
@POSTGRES
async def test_the_database_says_who_is_leased_where(store: Store) -> None:
    one, two = await store.open(), await store.open()
    assert isinstance(one, PostgresCounters) and isinstance(two, PostgresCounters)
    async with own_redis() as url:
        store_one, store_two = RedisLeases(url), RedisLeases(url)
        ours, theirs = Leases(one, store_one), Leases(two, store_two)
        run = await store_one.renew(one.id)
        await ours.turn()
        await theirs.turn()
        assert await one.leased_in(run) == [two.id]
        store.clock.tick(10)
        async with Redis.from_url(url) as redis_itself:
            await redis_itself.delete(f"zhengwu:limits:lease:{two.id}")
        await one.take([])
        assert await ours.turn() == [two.id], "gone there, and silent here"
        await pause(url, 60)
        assert await ours.turn() == []
        assert await one.leased_in("") == [], "nobody trusts a Redis that is silent"
        await store_one.close()
        await store_two.close()
    await one.close()
    await two.close()


@pytest.mark.redis
@POSTGRES
async def test_gateways_push_at_limits_while_redis_is_paused(database_url: str) -> None:
    sizes = Sizes(tokens=9_000, output_tokens=4_000, requests=150, concurrency=6, key_tokens=900)
    options = Options(workers=2, clients=20, seconds=4, pause_redis_s=2, sizes=sizes)
    found = await bench(database_url, options, lambda told: None)
    assert found["let_in"] > 0 and found["refused"] > 0
    assert (found["overshoot"], found["false_429"], found["unavailable"]) == (0, 0, 0)
    assert found["spent"] == found["counted"] <= sizes.budget
    assert (found["places_left_open"], found["lapses"]) == (0, 0)
