"""Reserves a request under every limit of its caller, and settles it once. Knows no store."""

from dataclasses import dataclass

from zhengwu.gateway.governed.caller import Caller, Limit
from zhengwu.gateway.governed.ports import Ask, Spent
from zhengwu.gateway.limits.kinds import (
    KINDS,
    Amounts,
    amounts,
    china_day,
    period,
    period_end_us,
)
from zhengwu.gateway.limits.ports import Back, Counters, Demand, Place, Refused, Taken
from zhengwu.gateway.limits.refusal import refusal

MAX_PLANS = 20_000


@dataclass(frozen=True, slots=True)
class Plan:
    """The counters of one caller's limits on one day."""

    given: tuple[Limit, ...]
    limits: tuple[Limit, ...]
    entries: tuple[tuple[int, int, int], ...]
    """Of each limit: its counter, its kind's place in `KINDS`, its amount."""
    day: int


@dataclass(frozen=True)
class Usage:
    """How much of a limit is used. Of minute limits `used` includes what is reserved."""

    used: int
    reserved: int
    amount: int
    resets_at: float | None
    """Seconds since the epoch when all of it will be free; None where nobody can know."""


class Held:
    """A place held under every limit of a caller (`Reservation`)."""

    __slots__ = ("_amounts", "_counters", "_plan", "_settled", "taken")

    def __init__(self, counters: Counters, plan: Plan, taken: Taken, held: Amounts) -> None:
        self._counters = counters
        self._plan = plan
        self._amounts = held
        self._settled = False
        self.taken = taken

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits it is held under."""
        return self._plan.limits

    async def settle(self, spent: Spent) -> None:
        """Give back what was reserved and not spent. A second call changes nothing."""
        if self._settled:
            return
        self._settled = True
        cost = amounts(spent.input_tokens, spent.output_tokens, spent.cost)
        backs: list[Back] = []
        for counter, kind, _ in self._plan.entries:
            held = self._amounts[kind]
            back = held if kind == _CONCURRENCY else held - cost[kind]
            if back or (held and kind >= _CONCURRENCY):
                backs.append(Back(counter, back, held))
        if backs:
            await self._counters.give(self.taken.slot, backs)


_CONCURRENCY = KINDS.index("concurrency")
"""From here on a request holds what it reserved until it settles; minutes end by themselves."""
_NOTHING = Taken(0, 0, ())


class CountedLimits:
    """The real `Limits`, over any store of counters."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._plans: dict[int, Plan] = {}

    async def reserve(self, caller: Caller, ask: Ask) -> Held:
        """Hold `ask` under every limit of `caller`, or under none.

        Raises:
            LimitReached: names the limit, its scope and when to come again.
            LimitsUnavailable: the database that counts does not answer.
        """
        plan = self._plans.get(id(caller.limits))
        if plan is None or plan.day != china_day(self._counters.now_us()):
            plan = await self._make_plan(caller.limits)
        takes = amounts(ask.input_tokens, ask.output_tokens, ask.cost)
        if not plan.entries:
            return Held(self._counters, plan, _NOTHING, takes)
        demands = [Demand(counter, takes[kind], most) for counter, kind, most in plan.entries]
        verdict = await self._counters.take(demands)
        if isinstance(verdict, Refused):
            limit = plan.limits[verdict.demand]
            raise refusal(limit, takes[plan.entries[verdict.demand][1]], verdict)
        return Held(self._counters, plan, verdict, takes)

    async def usage(self, limit: Limit) -> Usage:
        """How much of `limit` is used now, for the operator's pages."""
        now_us = self._counters.now_us()
        place = Place(limit.scope, limit.kind, period(limit.kind, now_us))
        level = await self._counters.look(place)
        end = level.empty_us
        if place.period:
            end = period_end_us(limit.kind, now_us)
        resets_at = None if end is None else end / 1_000_000
        return Usage(level.used - level.reserved, level.reserved, limit.amount, resets_at)

    async def _make_plan(self, given: tuple[Limit, ...]) -> Plan:
        now_us = self._counters.now_us()
        tightest: dict[tuple[str, str], Limit] = {}
        for limit in given:
            name = (limit.scope, limit.kind)
            if name not in tightest or limit.amount < tightest[name].amount:
                tightest[name] = limit
        limits = tuple(tightest.values())
        places = [Place(each.scope, each.kind, period(each.kind, now_us)) for each in limits]
        numbers = await self._counters.number(places)
        entries = tuple(
            (number, KINDS.index(limit.kind), limit.amount)
            for number, limit in zip(numbers, limits, strict=True)
        )
        plan = Plan(given, limits, entries, china_day(now_us))
        if len(self._plans) >= MAX_PLANS:
            self._plans.clear()
        # The plan keeps `given` alive, so no other tuple can come to have its id.
        self._plans[id(given)] = plan
        return plan
