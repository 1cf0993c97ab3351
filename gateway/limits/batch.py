"""What goes to PostgreSQL in one round trip, and what comes back. Knows the call; opens nothing."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, LiteralString

from zhengwu.gateway.limits.kinds import SLOT_US
from zhengwu.gateway.limits.ports import Back, Demand, Refused, Taken

CALL: LiteralString = """
SELECT * FROM limits_batch(
    %s::text, %s::bigint, %s::bigint, %s::bigint, %s::bigint[], %s::bigint[],
    %s::int[], %s::bigint[], %s::bigint[], %s::bigint[],
    %s::int[], %s::int[], %s::bigint[], %s::bigint[])
"""


@dataclass
class Batch:
    """Asks and settles of one gateway, in the order they came."""

    asks: Sequence[Sequence[Demand]]
    gives: Sequence[tuple[int, Sequence[Back]]]
    minute: AbstractSet[int]
    """Which of the counters are minute limits: only of these does a slot matter."""
    seq: int = 0
    counters: list[int] = field(default_factory=list[int])
    _values: tuple[str, ...] = ()

    def build(self, rest_us: Callable[[int], int]) -> None:
        """Flatten it. `rest_us`: of each counter, the wait for room; 0 for a minute limit."""
        back = _sum_up(self.gives, self.minute)
        numbers = {demand[0] for ask in self.asks for demand in ask}
        numbers.update(counter for counter, _ in back)
        self.counters = sorted(numbers)
        at = {number: place for place, number in enumerate(self.counters, 1)}
        ends, total = list[int](), 0
        for ask in self.asks:
            total += len(ask)
            ends.append(total)
        flat = list(chain.from_iterable(self.asks))
        self._values = (
            _array(self.counters),
            _array([rest_us(number) for number in self.counters]),
            _array([at[counter] for counter, _ in back]),
            _array([slot for _, slot in back]),
            _array([amount for amount, _ in back.values()]),
            _array([held for _, held in back.values()]),
            _array(ends),
            _array([at[demand[0]] for demand in flat]),
            _array([demand[1] for demand in flat]),
            _array([demand[2] for demand in flat]),
        )

    def parameters(self, gateway: str, moment_us: int | None, lease_us: int) -> tuple[Any, ...]:
        """The parameters of `CALL`."""
        return (gateway, self.seq, moment_us, lease_us, *self._values)

    def holds(self, verdicts: Sequence[int]) -> dict[int, int]:
        """By how much this batch changed what the gateway's open requests hold."""
        changes: dict[int, int] = {}
        for ask, failing in zip(self.asks, verdicts, strict=True):
            if not failing:
                for counter, amount, _ in ask:
                    if counter not in self.minute:
                        changes[counter] = changes.get(counter, 0) + amount
        for _, backs in self.gives:
            for counter, _, held in backs:
                if counter not in self.minute:
                    changes[counter] = changes.get(counter, 0) - held
        return changes


@dataclass(frozen=True)
class Reply:
    """The answer to a batch. After a repeated call only `moment_us` and `failing` are known."""

    state: str
    moment_us: int
    failing: list[int]
    waits: list[int]
    levels: list[int]
    totals: list[int]


def read_reply(row: Sequence[Any]) -> Reply:
    """The row that `CALL` gave."""
    state, moment_us, failing, waits, levels, totals = row
    return Reply(state, moment_us or 0, failing or [], waits or [], levels or [], totals or [])


def verdicts(batch: Batch, reply: Reply) -> list[Taken | Refused]:
    """Of each ask, what became of it."""
    used = dict(zip(batch.counters, reply.totals, strict=False))
    slot, first = reply.moment_us // SLOT_US, 1
    found: list[Taken | Refused] = []
    for place, (ask, failing) in enumerate(zip(batch.asks, reply.failing, strict=True)):
        if failing:
            wait = reply.waits[place] if reply.waits else SLOT_US
            level = reply.levels[place] if reply.levels else 0
            wait_us = None if wait < 0 else wait
            found.append(Refused(reply.moment_us, failing - first, wait_us, level))
        else:
            now = tuple([used.get(demand[0], demand[1]) for demand in ask])
            found.append(Taken(reply.moment_us, slot, now))
        first += len(ask)
    return found


def _sum_up(
    gives: Sequence[tuple[int, Sequence[Back]]], minute: AbstractSet[int]
) -> dict[tuple[int, int], tuple[int, int]]:
    """Amount and hold by counter and slot; slot 0 where it does not matter."""
    back: dict[tuple[int, int], tuple[int, int]] = {}
    for slot, backs in gives:
        for counter, amount, held in backs:
            name = (counter, slot if counter in minute else 0)
            before = back.get(name)
            back[name] = (before[0] + amount, before[1] + held) if before else (amount, held)
    return back


def _array(values: Sequence[int]) -> str:
    """An array as PostgreSQL writes one: an order of magnitude faster than value by value."""
    return "{" + ",".join(map(str, values)) + "}"
