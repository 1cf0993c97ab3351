"""Limits hold on both stores: all or nothing, settled once, the minute slides, money by the day."""

import asyncio

import pytest
from tests.gateway.limits.conftest import Store, ask, caller

from zhengwu.gateway.errors import BudgetExhausted, LimitReached
from zhengwu.gateway.governed.caller import Limit, LimitKind
from zhengwu.gateway.governed.ports import Spent
from zhengwu.gateway.limits.limiter import CountedLimits

CITY, KEY = "tenant:city", "key:k1"


async def test_no_limit_asks_nothing(limits: CountedLimits) -> None:
    held = await limits.reserve(caller(), ask())
    await held.settle(Spent(1, 1, 1))


@pytest.mark.parametrize(
    ("kind", "amount", "fits"),
    [
        ("requests_per_minute", 3, 3),
        ("tokens_per_minute", 45, 2),
        ("input_tokens_per_minute", 45, 4),
        ("output_tokens_per_minute", 30, 3),
        ("concurrency", 2, 2),
        ("budget_day", 350, 3),
        ("budget_month", 100, 1),
    ],
)
async def test_each_kind_lets_in_what_fits(
    limits: CountedLimits, kind: LimitKind, amount: int, fits: int
) -> None:
    limit = Limit(KEY, kind, amount)
    who = caller(limit)
    for _ in range(fits):
        await limits.reserve(who, ask())
    with pytest.raises(LimitReached) as told:
        await limits.reserve(who, ask())
    assert told.value.limit == limit
    usage = await limits.usage(limit)
    assert usage.used + usage.reserved == told.value.used <= amount


async def test_all_or_nothing(limits: CountedLimits) -> None:
    wide, narrow = Limit(CITY, "tokens_per_minute", 1000), Limit(KEY, "concurrency", 1)
    who = caller(wide, narrow)
    await limits.reserve(who, ask())
    for _ in range(5):
        with pytest.raises(LimitReached):
            await limits.reserve(who, ask())
    assert (await limits.usage(wide)).used == 20


async def test_settling_gives_back_the_difference_once(limits: CountedLimits) -> None:
    every = [
        Limit(KEY, "tokens_per_minute", 100),
        Limit(KEY, "concurrency", 1),
        Limit(KEY, "budget_day", 100),
        Limit(KEY, "requests_per_minute", 5),
    ]
    held = await limits.reserve(caller(*every), ask())
    for _ in range(2):
        await held.settle(Spent(4, 1, 30))
    usages = [await limits.usage(limit) for limit in every]
    assert [(usage.used, usage.reserved) for usage in usages] == [(5, 0), (0, 0), (30, 0), (1, 0)]


async def test_spending_more_than_reserved_is_charged(limits: CountedLimits) -> None:
    budget = Limit(KEY, "budget_month", 1000)
    held = await limits.reserve(caller(budget), ask(cost=100))
    await held.settle(Spent(10, 10, 250))
    usage = await limits.usage(budget)
    assert (usage.used, usage.reserved) == (250, 0)


async def test_a_free_request_passes_a_spent_budget(limits: CountedLimits) -> None:
    who = caller(Limit(KEY, "budget_day", 100))
    await limits.reserve(who, ask(cost=100))
    await limits.reserve(who, ask(cost=0))


async def test_the_minute_slides_and_the_wait_is_true(limits: CountedLimits, store: Store) -> None:
    who = caller(Limit(KEY, "tokens_per_minute", 50))
    await limits.reserve(who, ask())
    store.clock.tick(20)
    await limits.reserve(who, ask())
    with pytest.raises(LimitReached) as told:
        await limits.reserve(who, ask())
    assert told.value.wait_s == 41, "40 s until the first is a minute old, rounded up by a slot"
    store.clock.tick(39.9)
    with pytest.raises(LimitReached) as told:
        await limits.reserve(who, ask())
    assert told.value.wait_s == 1
    store.clock.tick(0.2)
    await limits.reserve(who, ask())
    with pytest.raises(LimitReached):
        await limits.reserve(who, ask())


async def test_what_settles_after_its_minute_changes_no_window(
    limits: CountedLimits, store: Store
) -> None:
    limit = Limit(KEY, "tokens_per_minute", 50)
    who = caller(limit)
    held = await limits.reserve(who, ask())
    store.clock.tick(61)
    await limits.reserve(who, ask())
    await held.settle(Spent())
    assert (await limits.usage(limit)).used == 20


async def test_budgets_begin_anew_in_china(limits: CountedLimits, store: Store) -> None:
    day, month = Limit(KEY, "budget_day", 100), Limit(KEY, "budget_month", 1000)
    who = caller(day, month)
    late = await limits.reserve(who, ask())
    with pytest.raises(BudgetExhausted) as told:
        await limits.reserve(who, ask())
    assert told.value.wait_s == 12 * 3600
    assert (await limits.usage(day)).resets_at == store.clock.now_us / 1e6 + 12 * 3600
    store.clock.tick(12 * 3600)
    await limits.reserve(who, ask())
    await late.settle(Spent(0, 0, 40))
    assert (await limits.usage(day)).used + (await limits.usage(day)).reserved == 100
    usage = await limits.usage(month)
    assert (usage.used, usage.reserved) == (40, 100)


async def test_too_large_a_request_is_told_so(limits: CountedLimits) -> None:
    with pytest.raises(LimitReached, match="单次请求已超过上限") as told:
        await limits.reserve(caller(Limit(KEY, "tokens_per_minute", 19)), ask())
    assert told.value.wait_s is None


async def test_the_longest_wait_is_the_one_told(limits: CountedLimits) -> None:
    budget = Limit(CITY, "budget_day", 100)
    who = caller(Limit(KEY, "concurrency", 1), budget, Limit(KEY, "requests_per_minute", 1))
    await limits.reserve(who, ask())
    with pytest.raises(BudgetExhausted, match="单位“city”的当日预算上限为 0.00 元") as told:
        await limits.reserve(who, ask())
    assert told.value.limit == budget


async def test_a_limit_named_twice_counts_once(limits: CountedLimits) -> None:
    who = caller(Limit(KEY, "concurrency", 9), Limit(KEY, "concurrency", 1))
    await limits.reserve(who, ask())
    with pytest.raises(LimitReached):
        await limits.reserve(who, ask())


async def test_a_crowd_takes_exactly_what_there_is(limits: CountedLimits) -> None:
    who = caller(Limit(CITY, "tokens_per_minute", 2000), Limit(KEY, "budget_day", 5000))

    async def one() -> bool:
        try:
            held = await limits.reserve(who, ask())
        except LimitReached:
            return False
        await held.settle(Spent(10, 10, 100))
        return True

    got = await asyncio.gather(*(one() for _ in range(300)))
    assert sum(got) == 50


async def test_counters_outlive_the_gateway(store: Store) -> None:
    budget, places = Limit(KEY, "budget_month", 1000), Limit(KEY, "concurrency", 1)
    minute = Limit(KEY, "tokens_per_minute", 100)
    who = caller(budget, places, minute)
    async with store.limits() as limits:
        held = await limits.reserve(who, ask())
        await held.settle(Spent(1, 1, 70))
    async with store.limits() as limits:
        assert (await limits.usage(budget)).used == 70
        assert (await limits.usage(places)).used == 0
        assert (await limits.usage(minute)).used == 2
        await limits.reserve(who, ask())
