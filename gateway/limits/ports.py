"""What counting asks of a store of counters. Knows ids and amounts; knows no caller."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from zhengwu.gateway.governed.caller import LimitKind


class Place(NamedTuple):
    """What a counter counts; `period` is empty for what is no budget."""

    scope: str
    kind: LimitKind
    period: str


class Demand(NamedTuple):
    """An amount to take of one counter, which may then hold `limit` at most."""

    counter: int
    amount: int
    limit: int


class Back(NamedTuple):
    """What a settled request gives back: of `held`, which it had taken, `amount` was not spent."""

    counter: int
    amount: int
    held: int


@dataclass(frozen=True, slots=True)
class Taken:
    """Every demand was met. `used`: what each counter then held; `slot`: where windows count it."""

    moment_us: int
    slot: int
    used: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was taken. `demand`: the one that makes the caller wait longest.

    `wait_us` is None where the demand alone is over its limit. `used`: what the counter held.
    """

    moment_us: int
    demand: int
    wait_us: int | None
    used: int


@dataclass(frozen=True)
class Level:
    """How full a counter is. `empty_us`: when all of it will be free, if nothing more comes."""

    used: int
    reserved: int
    empty_us: int | None


class Counters(Protocol):
    """The store of counters. `MemoryCounters` and `PostgresCounters` are the real ones."""

    def now_us(self) -> int:
        """The moment by the clock that budgets go by."""
        ...

    async def number(self, places: Sequence[Place]) -> list[int]:
        """The id of the counter of each place, made where there is none."""
        ...

    async def take(self, demands: Sequence[Demand]) -> Taken | Refused:
        """Take every demand, or nothing."""
        ...

    async def give(self, slot: int, backs: Sequence[Back]) -> None:
        """Give back what was taken in `slot` and not spent. Returns when it is kept."""
        ...

    async def look(self, place: Place) -> Level:
        """How full the counter of `place` is now."""
        ...
