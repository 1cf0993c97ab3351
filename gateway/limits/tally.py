"""Counters in the memory of one process: take all or nothing, give back, let the minute slide.

Synchronous, so nothing comes between looking and taking. Knows no clock, no file, no database.
"""

from collections.abc import Iterable, Mapping, Sequence

from zhengwu.gateway.limits.kinds import MINUTE_KINDS, SLOT_US, WINDOW, rest_us
from zhengwu.gateway.limits.ports import Back, Demand, Level, Place, Refused, Taken

FOR_EVER = 1 << 62


class Tally:
    """One counter. `slots` is None but for minute limits; the oldest slot comes first."""

    __slots__ = ("held", "place", "slots", "used")

    def __init__(self, place: Place, used: int = 0, held: int = 0) -> None:
        self.place = place
        self.used = used
        self.held = held
        self.slots: dict[int, int] | None = {} if place.kind in MINUTE_KINDS else None

    def sweep(self, this: int) -> None:
        """Let go of what is a minute old in slot `this`."""
        slots = self.slots
        while slots:
            oldest = next(iter(slots))
            if oldest >= this - WINDOW:
                return
            self.used -= slots.pop(oldest)

    def take(self, slot: int, amount: int) -> None:
        """Count `amount` in, whatever the limit."""
        self.used += amount
        if self.slots is None:
            self.held += amount
        elif amount:
            self.slots[slot] = self.slots.get(slot, 0) + amount

    def give(self, slot: int, amount: int, held: int) -> None:
        """Count `amount` out; of a minute limit only while its slot is in the window."""
        if self.slots is None:
            self.used -= amount
            self.held -= held
        elif slot in self.slots:
            self.used -= amount
            self.slots[slot] -= amount

    def wait_us(self, demand: Demand, moment_us: int, wall_us: int) -> int:
        """How long at most until `demand` has room."""
        if demand.amount > demand.limit:
            return FOR_EVER
        if self.slots is None:
            return rest_us(self.place.kind, wall_us)
        need, this = self.used + demand.amount - demand.limit, moment_us // SLOT_US
        leaves = this
        for slot, amount in self.slots.items():
            need -= amount
            if need <= 0:
                leaves = slot
                break
        return (leaves + WINDOW + 1) * SLOT_US - moment_us

    def level(self) -> Level:
        """How full it is."""
        if self.slots is None:
            return Level(self.used, self.held, None)
        end = (max(self.slots) + WINDOW + 1) * SLOT_US if self.slots else None
        return Level(self.used, 0, end)


def take_all(
    tallies: Mapping[int, Tally], demands: Sequence[Demand], moment_us: int, wall_us: int
) -> Taken | Refused:
    """Take every demand, or nothing."""
    this = moment_us // SLOT_US
    fits = True
    for counter, amount, limit in demands:
        tally = tallies[counter]
        if tally.slots:
            tally.sweep(this)
        if tally.used + amount > limit:
            fits = False
    if not fits:
        return _refuse(tallies, demands, moment_us, wall_us)
    used: list[int] = []
    for counter, amount, _ in demands:
        tally = tallies[counter]
        tally.take(this, amount)
        used.append(tally.used)
    return Taken(moment_us, this, tuple(used))


def give_all(tallies: Mapping[int, Tally], slot: int, backs: Iterable[Back]) -> None:
    """Give back what a settled request did not spend."""
    for counter, amount, held in backs:
        tallies[counter].give(slot, amount, held)


def _refuse(
    tallies: Mapping[int, Tally], demands: Sequence[Demand], moment_us: int, wall_us: int
) -> Refused:
    over = [
        (tallies[d.counter].wait_us(d, moment_us, wall_us), -place)
        for place, d in enumerate(demands)
        if tallies[d.counter].used + d.amount > d.limit
    ]
    wait, place = max(over)
    used = tallies[demands[-place].counter].used
    return Refused(moment_us, -place, None if wait == FOR_EVER else wait, used)
