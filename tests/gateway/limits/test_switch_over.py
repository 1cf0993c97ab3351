"""Gateways die and stall, Redis stops, returns, restarts empty: never overshoot, never false 429.

A state machine drives several gateways on a real PostgreSQL with a clock that it turns, and leases
in a stand-in for Redis that can fail in every way. `ZHENGWU_TEST_EXAMPLES` makes it longer.
"""

import asyncio
import os
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,  # pyright: ignore[reportUnknownVariableType]
)
from tests.gateway.limits.conftest import Clock

from zhengwu.db.engine import open_database
from zhengwu.db.migrate import migrate
from zhengwu.gateway.errors import LimitReached
from zhengwu.gateway.governed.caller import Caller, Limit
from zhengwu.gateway.governed.ports import Ask, Spent
from zhengwu.gateway.limits import postgres
from zhengwu.gateway.limits.kinds import SLOT_US, WINDOW
from zhengwu.gateway.limits.leases import Leases, LeasesGone
from zhengwu.gateway.limits.limiter import CountedLimits, Held
from zhengwu.gateway.limits.postgres import PostgresCounters

EXAMPLES = int(os.environ.get("ZHENGWU_TEST_EXAMPLES", "6"))
PLACES, TOKENS, MONEY = 4, 120, 3000
STEP_S = 2
LEASE_S = 3
T = TypeVar("T")


@dataclass
class StandIn:
    """Leases as Redis keeps them, by the test's clock."""

    clock: Clock
    up: bool = True
    runs: int = 1
    until: dict[str, int] = field(default_factory=dict[str, int])

    async def renew(self, gateway: str) -> str:
        if not self.up:
            raise LeasesGone
        self.until[gateway] = self.clock() + LEASE_S * 1_000_000
        return f"run-{self.runs}"

    async def missing(self, gateways: Sequence[str]) -> list[str]:
        if not self.up:
            raise LeasesGone
        return [each for each in gateways if self.until.get(each, 0) <= self.clock()]

    async def close(self) -> None:
        return None

    def restart(self) -> None:
        self.runs += 1
        self.until.clear()


@dataclass
class Gateway:
    """A gateway: alive, stalled (as SIGSTOP leaves it) or killed."""

    counters: PostgresCounters
    limits: CountedLimits
    leases: Leases
    alive: bool = True
    stalled: bool = False
    trusted: bool = True
    """It never stalled, so nobody may ever have given it up."""


@dataclass
class Request:
    """What a gateway took, and what is known to count of it."""

    gateway: Gateway
    held: Held
    tokens: int
    cost: int
    open: bool = True


class SwitchOver(RuleBasedStateMachine):
    """The world: gateways, a Redis, a clock, and what must be true of them."""

    url = ""
    clock = Clock()

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._redis = StandIn(self.clock)
        self._gateways: list[Gateway] = []
        self._requests: list[Request] = []
        scope = f"tenant:{uuid4().hex[:8]}"
        self._caller = Caller(
            "k",
            "测试",
            limits=(
                Limit(scope, "concurrency", PLACES),
                Limit(scope, "tokens_per_minute", TOKENS),
                Limit(scope, "budget_month", MONEY),
            ),
        )
        for _ in range(3):
            self.open_gateway()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def _awake(self) -> list[Gateway]:
        return [each for each in self._gateways if each.alive and not each.stalled]

    @precondition(lambda self: len(self._awake()) < 3)
    @rule()
    def open_gateway(self) -> None:
        async def open_() -> Gateway:
            counters = PostgresCounters(self.url, self.clock)
            await counters.join()
            counters.start()
            return Gateway(counters, CountedLimits(counters), Leases(counters, self._redis))

        self._gateways.append(self._do(open_()))

    @precondition(lambda self: bool(self._awake()))
    @rule(which=st.integers(0, 9), tokens=st.integers(1, 60), cost=st.integers(0, 1000))
    def reserve(self, which: int, tokens: int, cost: int) -> None:
        gateway = self._awake()[which % len(self._awake())]
        ask = Ask("r", "m", 0, tokens, cost)
        this = self.clock() // SLOT_US
        recent = [r for r in self._requests if r.held.taken.slot >= this - WINDOW]
        counted = sum(r.tokens for r in recent) + tokens
        money = sum(r.cost for r in self._requests) + cost
        open_ = [r for r in self._requests if r.open]
        surely = sum(r.gateway.alive and r.gateway.trusted for r in open_) + 1
        try:
            held = self._do(gateway.limits.reserve(self._caller, ask))
        except LimitReached as told:
            needed = {
                "concurrency": len(open_) + 1 > PLACES,
                "tokens_per_minute": counted > TOKENS,
                "budget_month": money > MONEY,
            }
            assert needed[told.limit.kind], f"a false 429: {told}"
            return
        assert counted <= TOKENS and money <= MONEY and surely <= PLACES, "overshoot"
        self._requests.append(Request(gateway, held, tokens, cost))

    @precondition(lambda self: any(r.open and r.gateway in self._awake() for r in self._requests))
    @rule(which=st.integers(0, 9), part=st.integers(0, 10))
    def settle(self, which: int, part: int) -> None:
        open_ = [r for r in self._requests if r.open and r.gateway in self._awake()]
        request = open_[which % len(open_)]
        spent = Spent(0, request.tokens * part // 10, request.cost * part // 10)
        self._do(request.held.settle(spent))
        request.open, request.tokens, request.cost = False, spent.output_tokens, spent.cost

    @precondition(lambda self: len(self._awake()) > 1)
    @rule(which=st.integers(0, 9))
    def kill(self, which: int) -> None:
        gateway = self._awake()[which % len(self._awake())]
        self._do(gateway.counters.stop())
        gateway.alive = False

    @precondition(lambda self: len(self._awake()) > 1)
    @rule(which=st.integers(0, 9), seconds=st.sampled_from([2, 18]))
    def stall(self, which: int, seconds: int) -> None:
        gateway = self._awake()[which % len(self._awake())]
        gateway.stalled, gateway.trusted = True, False
        self.tick(seconds)

    @precondition(lambda self: any(g.stalled for g in self._gateways))
    @rule()
    def wake(self) -> None:
        next(g for g in self._gateways if g.stalled).stalled = False

    @rule(seconds=st.sampled_from([2, 4, 18, 62]))
    def tick(self, seconds: int) -> None:
        self._do(self._tick(seconds))
        if seconds >= 18 and self._awake():
            for request in self._requests:
                if not request.gateway.alive:
                    request.open = False  # its place is free, its money spent

    async def _tick(self, seconds: int) -> None:
        for _ in range(seconds // STEP_S):
            self.clock.tick(STEP_S)
            for gateway in self._awake():
                await gateway.counters.take([])  # as its beat does
                given_up = await gateway.leases.turn() + await gateway.counters.reap()
                living = {g.counters.id for g in self._gateways if g.alive and g.trusted}
                assert not living & set(given_up), "a living gateway was given up"

    @rule(state=st.sampled_from(["stop", "go", "restart", "flush"]))
    def redis(self, state: str) -> None:
        if state in {"stop", "go"}:
            self._redis.up = state == "go"
        elif state == "restart":
            self._redis.restart()
        else:
            self._redis.until.clear()

    def teardown(self) -> None:
        try:
            if self._awake():
                self._check_the_end()
        finally:
            for gateway in self._gateways:
                if gateway.alive:
                    self._do(gateway.counters.stop())
            self._runner.close()

    def _check_the_end(self) -> None:
        """When everything living has settled and the dead are given up, the books are even."""
        for gateway in self._gateways:
            gateway.stalled = False
        self.tick(18)
        for request in self._requests:
            if request.open:
                self._do(request.held.settle(Spent(0, request.tokens, request.cost)))
        limits = self._awake()[0].limits
        places, _, money = [self._do(limits.usage(each)) for each in self._caller.limits]
        assert (places.used, places.reserved) == (0, 0)
        assert (money.used, money.reserved) == (sum(r.cost for r in self._requests), 0)


@pytest.fixture
def one_database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(postgres, "REAP_EVERY_S", 3600.0)
    monkeypatch.setattr(postgres, "BEAT_S", 3600.0)

    async def prepare() -> None:
        engine = open_database(database_url)
        await migrate(engine)
        async with engine.begin() as connection:  # hundreds of commits that no crash will test
            name = engine.url.database
            await connection.exec_driver_sql(
                f'ALTER DATABASE "{name}" SET synchronous_commit = off'
            )
        await engine.dispose()

    asyncio.run(prepare())
    yield database_url


@pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
def test_no_overshoot_and_no_false_429_whatever_dies(one_database: str) -> None:
    SwitchOver.url = one_database
    run_state_machine_as_test(
        SwitchOver,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
