"""When an upstream is left alone, for how long, and how it comes back."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from zhengwu.models.errors import (
    ContextOverflow,
    DeadlinePassed,
    UpstreamCut,
    UpstreamDown,
    UpstreamError,
    UpstreamLimited,
    UpstreamRejects,
    UpstreamResting,
)
from zhengwu.models.policies.breaker import Breakers, Rests
from zhengwu.models.upstream import Call, Upstream

ONE = Upstream("甲", "http://127.0.0.1:9/v1", "m")
CALL = Call("chat/completions", b"{}", 1)
RESTS = Rests(failures=3)


@dataclass
class World:
    """A clock that stands still until moved, and an upstream that does as told."""

    now: float = 100.0
    error: UpstreamError | None = None
    late: UpstreamError | None = None
    asked: int = 0

    @asynccontextmanager
    async def open(self, upstream: Upstream, call: Call) -> AsyncGenerator[None]:
        self.asked += 1
        if self.error:
            raise self.error
        yield None


def breakers(world: World) -> Breakers:
    return Breakers(world, RESTS, lambda: world.now)  # pyright: ignore[reportArgumentType]


async def ask(breaker: Breakers, world: World) -> str:
    try:
        async with breaker.open(ONE, CALL):
            if world.late:
                raise world.late
    except UpstreamError as error:
        return error.code
    return "ok"


async def test_rests_grow_and_a_success_ends_them() -> None:
    world = World(error=UpstreamDown("x"))
    breaker = breakers(world)
    assert [await ask(breaker, world) for _ in range(4)] == ["upstream_down"] * 3 + [
        "upstream_resting"
    ]
    rests: list[float] = []
    for _ in range(6):
        start = world.now
        while await ask(breaker, world) == "upstream_resting":
            world.now += 0.05
        rests.append(world.now - start)
    assert rests[0] <= RESTS.first_s + 0.1 and rests[3] > 2 * rests[0]
    assert max(rests) <= RESTS.longest_s + 0.1
    world.error, world.now = None, world.now + 20
    assert [await ask(breaker, world), breaker.states["甲"]] == ["ok", "closed"]
    world.error = UpstreamDown("x")
    assert [await ask(breaker, world) for _ in range(2)] == ["upstream_down"] * 2  # counts anew


async def test_only_one_call_probes_and_it_is_over_once_answered() -> None:
    world = World(error=UpstreamDown("x"))
    breaker = breakers(world)
    for _ in range(3):
        await ask(breaker, world)
    world.error, world.now = None, world.now + 5
    assert breaker.states["甲"] == "half_open"
    async with breaker.open(ONE, CALL):  # a stream that goes on
        assert breaker.states["甲"] == "closed"
        assert await ask(breaker, world) == "ok"


async def test_a_probe_that_hears_nothing_leaves_the_next_one_to_probe() -> None:
    world = World(error=UpstreamDown("x"))
    breaker = breakers(world)
    for _ in range(3):
        await ask(breaker, world)
    world.error, world.now = DeadlinePassed("x"), world.now + 5
    assert await ask(breaker, world) == "deadline_passed"
    world.error = None
    assert await ask(breaker, world) == "ok"


async def test_an_upstream_that_begins_well_and_breaks_off_is_left_alone_too() -> None:
    world = World(late=UpstreamCut("x"))
    breaker = breakers(world)
    codes = [await ask(breaker, world) for _ in range(4)]
    assert codes == ["upstream_cut"] * 3 + ["upstream_resting"]
    world.now += 2
    assert [await ask(breaker, world) for _ in range(2)] == ["upstream_cut", "upstream_resting"]
    world.late, world.now = None, world.now + 3
    assert [await ask(breaker, world) for _ in range(2)] == ["ok", "ok"]


@pytest.mark.parametrize("error", [ContextOverflow("x", 400), DeadlinePassed("x")])
async def test_what_is_not_its_fault_does_not_count(error: UpstreamError) -> None:
    world = World(error=error)
    breaker = breakers(world)
    assert [await ask(breaker, world) for _ in range(9)] == [error.code] * 9


async def test_a_pause_that_was_asked_for_is_kept_but_not_without_end() -> None:
    for wait_s, kept_s in ((7.0, 7.0), (None, RESTS.limited_s), (9e5, RESTS.longest_limit_s)):
        world = World(error=UpstreamLimited("x", 429, wait_s))
        breaker = breakers(world)
        await ask(breaker, world)
        world.now += kept_s - 0.1
        with pytest.raises(UpstreamResting):
            async with breaker.open(ONE, CALL):
                pass
        world.now += 0.2
        world.error = None
        assert await ask(breaker, world) == "ok"


async def test_one_that_rejects_us_is_left_alone_for_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(error=UpstreamRejects("上游“甲”返回 HTTP 401", 502))
    breaker = breakers(world)
    await ask(breaker, world)
    world.now += RESTS.rejected_s - 1
    assert await ask(breaker, world) == "upstream_resting"
    world.now += 2
    assert await ask(breaker, world) == "upstream_rejects"
    world.now += RESTS.rejected_s + 1
    assert await ask(breaker, world) == "upstream_resting"  # twice as long
    assert [record.levelname for record in caplog.records].count("ERROR") == 2
