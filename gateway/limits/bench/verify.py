"""Holds a ledger to the limits: nothing above them, nobody refused below them.

A settle is known to have happened between two moments. Against overshoot it counts as early as it
may have been, against false refusals as late, so neither verdict leans on a guess.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from zhengwu.gateway.governed.caller import Caller, Limit
from zhengwu.gateway.limits.kinds import KINDS, MINUTE_KINDS, SLOT_US, WINDOW

MINUTE_US = SLOT_US * WINDOW


@dataclass(frozen=True)
class Took:
    """One request that was let in."""

    moment: int
    key: str
    held: Sequence[int]
    spent: Sequence[int]
    settled_after: int
    settled_before: int


@dataclass(frozen=True)
class Turned:
    """One request that was refused."""

    moment: int
    key: str
    asked: Sequence[int]
    scope: str
    kind: str
    amount: int
    used: int


@dataclass
class Ledger:
    """Everything that happened."""

    took: list[Took] = field(default_factory=list[Took])
    turned: list[Turned] = field(default_factory=list[Turned])
    unavailable: int = 0
    waits_s: list[float] = field(default_factory=list[float])

    def add(self, line: Sequence[object]) -> None:
        """Take in one line of a worker's ledger."""
        kind, *rest = line
        if kind == "unavailable":
            self.unavailable += 1
            return
        *rest, waited = rest
        self.waits_s.append(float(waited))  # pyright: ignore[reportArgumentType]
        if kind == "took":
            self.took.append(Took(*rest))  # pyright: ignore[reportArgumentType]
        else:
            self.turned.append(Turned(*rest[:-1]))  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class Findings:
    """What one limit was held to."""

    limit: Limit
    highest: int
    """The most that was certainly counted at a moment when something was let in."""
    refused: int
    false: int
    """Refused although settled and reserved left room."""


def hold(ledger: Ledger, callers: Iterable[Caller]) -> list[Findings]:
    """Every limit of every caller, against everything in the ledger."""
    of_key = {who.key_id: set(who.limits) for who in callers}
    limits = sorted({limit for each in of_key.values() for limit in each}, key=str)
    turned: dict[tuple[str, str], list[Turned]] = defaultdict(list)
    for each in ledger.turned:
        turned[each.scope, each.kind].append(each)
    found: list[Findings] = []
    for limit in limits:
        took = [each for each in ledger.took if limit in of_key[each.key]]
        refusals = turned[limit.scope, limit.kind]
        found.append(
            Findings(
                limit,
                highest(took, limit),
                len(refusals),
                sum(_false(took, refusals, limit)),
            )
        )
    return found


def highest(took: Iterable[Took], limit: Limit) -> int:
    """The most counted under `limit` after letting something in, settles as early as may be.

    A batch gives back before it takes, so at one moment what comes back counts first.
    """
    events = [
        (moment, taking, change) for moment, taking, change in _changes(took, limit, early=True)
    ]
    heapq.heapify(events)
    level = most = 0
    while events:
        _, taking, change = heapq.heappop(events)
        level += change
        if taking:
            most = max(most, level)
    return most


def _false(took: Iterable[Took], refusals: Sequence[Turned], limit: Limit) -> list[bool]:
    """Of each refusal, whether there was room, settles as late as may be."""
    place = KINDS.index(limit.kind)
    asks = sorted((each.moment, each.asked[place], each.used) for each in refusals)
    events = sorted(_changes(took, limit, early=False))
    level, at, verdicts = 0, 0, list[bool]()
    for moment, asked, used in asks:
        # What comes back at this very moment may have come back after the refusal.
        while at < len(events) and events[at][0] <= moment:
            if events[at][0] == moment and not events[at][1]:
                break
            level += events[at][2]
            at += 1
        pending = sum(c for _, taking, c in _at(events, at, moment) if taking)
        there_was_room = level + pending + asked <= limit.amount
        verdicts.append(there_was_room or used + asked <= limit.amount)
    return verdicts


def _at(
    events: Sequence[tuple[int, int, int]], at: int, moment: int
) -> Iterable[tuple[int, int, int]]:
    while at < len(events) and events[at][0] == moment:
        yield events[at]
        at += 1


def _changes(took: Iterable[Took], limit: Limit, early: bool) -> Iterable[tuple[int, int, int]]:
    """(moment, 1 if it takes, change of the level), of one limit."""
    place = KINDS.index(limit.kind)
    minute = limit.kind in MINUTE_KINDS
    for each in took:
        held = each.held[place]
        spent = 0 if limit.kind == "concurrency" else each.spent[place]
        settled = each.settled_after if early else each.settled_before
        yield each.moment, 1, held
        if not minute:
            yield settled, 0, spent - held
            continue
        # In any minute to the microsecond nothing may be above; a slot leaves when its end does.
        gone = each.moment + MINUTE_US
        if not early:
            gone = (each.moment // SLOT_US + WINDOW + 1) * SLOT_US
        if settled < gone:
            yield settled, 0, spent - held
            yield gone, 0, -spent
        else:
            yield gone, 0, -held


def spent_in_all(ledger: Ledger) -> int:
    """The money that was spent."""
    return sum(each.spent[KINDS.index("budget_day")] for each in ledger.took)
