"""Counters of the one gateway on SQLite: in memory, journalled, brought to the database behind.

Every change is in the journal before the caller goes on, so a kill -9 forgets nothing; the database
holds budgets as they were at a position of the journal, and at start the rest is read again. Minute
windows live in the journal alone: they are over before a slow start is.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.gateway.limits.base import Base, read_base, write_base
from zhengwu.gateway.limits.journal import Journal, Line
from zhengwu.gateway.limits.kinds import SLOT_US, period
from zhengwu.gateway.limits.ports import Back, Demand, Level, Place, Refused, Taken
from zhengwu.gateway.limits.tally import Tally, give_all, take_all

LOG = logging.getLogger("zhengwu.gateway.limits")
TAKE, GIVE, MAKE = 0, 1, 2
"""What a line of the journal tells first."""
WRITE_EVERY_S = 1.0
WINDOW_S = 61.0


def wall_us() -> int:
    """The moment by the wall clock."""
    return time.time_ns() // 1000


class MemoryCounters:
    """The counters of one process. Open it with `open`, and close it."""

    def __init__(
        self, engine: AsyncEngine, journal: Journal, clock: Callable[[], int] = wall_us
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._clock = clock
        self._window = _Steady(clock)
        self._tallies: dict[int, Tally] = {}
        self._numbers: dict[Place, int] = {}
        self._changed: set[int] = set()
        self._last = 0
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, engine: AsyncEngine, folder: Path, clock: Callable[[], int] = wall_us
    ) -> "MemoryCounters":
        """The counters as they were left, however that was. What was reserved counts as spent."""
        base = await read_base(engine)
        journal = await asyncio.to_thread(Journal, folder, base.position)
        counters = cls(engine, journal, clock)
        counters._restore(base)
        await counters._give_up()
        counters._writer = asyncio.create_task(counters._write_behind())
        return counters

    async def close(self) -> None:
        """Bring everything to the database."""
        if self._writer is not None:
            self._writer.cancel()
            with suppress(asyncio.CancelledError):
                await self._writer
        await self.write()
        self._journal.close()

    def now_us(self) -> int:
        """The moment by the wall clock."""
        return self._clock()

    async def number(self, places: Sequence[Place]) -> list[int]:
        """The id of the counter of each place, made where there is none."""
        return [self._numbers.get(place) or self._make(place) for place in places]

    async def take(self, demands: Sequence[Demand]) -> Taken | Refused:
        """Take every demand, or nothing. Waits for nobody."""
        taken = take_all(self._tallies, demands, self._window.now_us(), self._clock())
        if isinstance(taken, Taken):
            line = [TAKE, taken.slot]
            for counter, amount, _ in demands:
                line += (counter, amount)
                self._changed.add(counter)
            self._journal.append(line)
        return taken

    async def give(self, slot: int, backs: Sequence[Back]) -> None:
        """Give back what was taken in `slot` and not spent."""
        give_all(self._tallies, slot, backs)
        line = [GIVE, slot]
        for back in backs:
            line += back
            self._changed.add(back.counter)
        self._journal.append(line)

    async def look(self, place: Place) -> Level:
        """How full the counter of `place` is now."""
        number = self._numbers.get(place)
        if number is None:
            return Level(0, 0, None)
        tally = self._tallies[number]
        tally.sweep(self._window.now_us() // SLOT_US)
        return tally.level()

    async def write(self) -> None:
        """Bring the counters to the database, and forget the journal that is in them."""
        async with self._writing:
            changed, self._changed = self._changed, set[int]()
            rows = [(number, self._tallies[number]) for number in changed]
            base = Base.of(self._journal.position, rows)
            try:
                await asyncio.to_thread(self._journal.sync)
                await write_base(self._engine, base)
            except (SQLAlchemyError, OSError):
                self._changed |= changed
                raise
            self._drop_past(changed)
            kept_from = time.time() - WINDOW_S
            await asyncio.to_thread(self._journal.forget, base.position, kept_from)

    def _make(self, place: Place) -> int:
        self._last += 1
        self._add(self._last, Tally(place))
        self._changed.add(self._last)
        self._journal.append([MAKE, self._last, *place])
        return self._last

    def _add(self, number: int, tally: Tally) -> None:
        self._tallies[number] = tally
        self._numbers[tally.place] = number

    def _restore(self, base: Base) -> None:
        for number, tally in base.tallies():
            self._add(number, tally)
        self._last = base.last
        for position, line in self._journal.read():
            self._replay(line, position >= base.position)

    def _replay(self, line: Line, unwritten: bool) -> None:
        kind, first, *rest = line
        if kind == MAKE:
            place, number = Place(*rest), int(first)  # pyright: ignore[reportArgumentType]
            if place not in self._numbers:
                self._add(number, Tally(place))
                self._last = max(self._last, number)
                self._changed.add(number)
            return
        slot, width = int(first), 2 if kind == TAKE else 3
        for start in range(0, len(rest), width):
            number, *numbers = (int(each) for each in rest[start : start + width])
            tally = self._tallies.get(number)
            # A minute limit is nowhere but here; anything else may be in the database already.
            if tally is None or (tally.slots is None and not unwritten):
                continue
            self._changed.add(number)
            if kind == TAKE:
                tally.take(slot, numbers[0])
            else:
                tally.give(slot, *numbers)

    async def _give_up(self) -> None:
        """What the process before had open: its places are free, its money counts as spent."""
        lapsed: list[tuple[int, int]] = []
        for number, tally in self._tallies.items():
            if not tally.held:
                continue
            self._changed.add(number)
            if tally.place.kind == "concurrency":
                tally.used -= tally.held
            else:
                lapsed.append((number, tally.held))
            tally.held = 0
        rows = [(number, self._tallies[number]) for number in self._changed]
        self._changed = set()
        base = Base.of(self._journal.position, rows)
        await write_base(self._engine, base, lapsed, self._clock())

    async def _write_behind(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                if self._changed:
                    await self.write()
            except (SQLAlchemyError, OSError) as error:
                LOG.warning("counters stay in the journal for now: %s", type(error).__name__)

    def _drop_past(self, written: set[int]) -> None:
        """Budgets of days and months that are over are in the database, and nobody asks again."""
        yesterday = self._clock() - 86_400_000_000
        for number in written - self._changed:
            tally = self._tallies[number]
            place = tally.place
            if place.period and not tally.held and place.period < period(place.kind, yesterday):
                del self._tallies[number], self._numbers[place]


class _Steady:
    """The wall clock as it was at start, going on at its own pace: windows never jump."""

    def __init__(self, clock: Callable[[], int]) -> None:
        if clock is wall_us:
            offset = clock() - time.monotonic_ns() // 1000
            self.now_us: Callable[[], int] = lambda: time.monotonic_ns() // 1000 + offset
        else:
            self.now_us = clock
