"""In which order the upstreams of a route are asked. Knows loads and prices; opens nothing.

An upstream whose slots are all taken comes after every one that has room, whatever the order.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol

from zhengwu.models.policies.load import Loads
from zhengwu.models.upstream import Call, Upstream

OrderName = Literal["listed", "least_loaded", "prefix", "cost", "latency"]
PREFIXES = 20_000
"""How many beginnings are remembered; the one unused longest is forgotten first."""
SLACK_TOKENS = 8_000
SLACK_TIMES = 2.0
"""An upstream is left for another once it carries this much more than the lightest one."""


class Orders(Protocol):
    """Orders the upstreams of a route for one call."""

    def order(self, upstreams: Sequence[Upstream], call: Call) -> Sequence[Upstream]:
        """All of `upstreams`, first choice first."""
        ...


@dataclass(frozen=True)
class Listed:
    """As the route lists them, those with room first."""

    loads: Loads

    def order(self, upstreams: Sequence[Upstream], call: Call) -> Sequence[Upstream]:
        """As listed."""
        return sorted(upstreams, key=self._full)

    def _full(self, upstream: Upstream) -> bool:
        return self.loads.of(upstream).calls >= upstream.slots


@dataclass(frozen=True)
class LeastLoaded:
    """Fewest outstanding tokens first."""

    loads: Loads

    def order(self, upstreams: Sequence[Upstream], call: Call) -> Sequence[Upstream]:
        """By outstanding tokens."""
        return sorted(upstreams, key=self.weight)

    def weight(self, upstream: Upstream) -> tuple[bool, int, int]:
        """Full or not, outstanding tokens, calls."""
        load = self.loads.of(upstream)
        return load.calls >= upstream.slots, load.tokens, load.calls


@dataclass(frozen=True)
class Cheapest:
    """Lowest price first; the pool takes none. Equal prices: fewest outstanding tokens."""

    loads: Loads

    def order(self, upstreams: Sequence[Upstream], call: Call) -> Sequence[Upstream]:
        """By price."""
        return sorted(upstreams, key=self._weight)

    def _weight(self, upstream: Upstream) -> tuple[bool, float, int]:
        load, price = self.loads.of(upstream), upstream.price
        if price is None:  # unknown for a seller's service, nothing for the pool
            cost = float("inf") if upstream.key_env else 0.0
        else:
            cost = price.input + price.output
        return load.calls >= upstream.slots, cost, load.tokens


@dataclass(frozen=True)
class Quickest:
    """Shortest time to first byte first; one that never answered is tried before all."""

    loads: Loads

    def order(self, upstreams: Sequence[Upstream], call: Call) -> Sequence[Upstream]:
        """By time to first byte."""
        return sorted(upstreams, key=self._weight)

    def _weight(self, upstream: Upstream) -> tuple[bool, float, int]:
        load = self.loads.of(upstream)
        return load.calls >= upstream.slots, load.first_byte_s or 0.0, load.tokens


@dataclass(frozen=True)
class PrefixAffine:
    """Where a call with the same beginning went, unless that one carries much more than others."""

    loads: Loads
    most: int = PREFIXES
    went: OrderedDict[str, tuple[str, str]] = field(
        default_factory=OrderedDict[str, tuple[str, str]]
    )

    def order(self, upstreams: Sequence[Upstream], call: Call) -> Sequence[Upstream]:
        """The remembered one first, then by outstanding tokens."""
        ordered = LeastLoaded(self.loads).order(upstreams, call)
        if not call.affinity or not ordered:
            return ordered
        identity = self.went.get(call.affinity)
        home = next((each for each in ordered if each.identity == identity), None)
        if home is not None and not self._overloaded(home, ordered[0]):
            ordered = [home, *(each for each in ordered if each is not home)]
        self.went[call.affinity] = ordered[0].identity
        self.went.move_to_end(call.affinity)
        if len(self.went) > self.most:
            self.went.popitem(last=False)
        return ordered

    def _overloaded(self, home: Upstream, lightest: Upstream) -> bool:
        load, least = self.loads.of(home), self.loads.of(lightest).tokens
        full = load.calls >= home.slots
        return full or load.tokens > max(least * SLACK_TIMES, least + SLACK_TOKENS)


ORDERS: Mapping[OrderName, Callable[[Loads], Orders]] = MappingProxyType(
    {
        "listed": Listed,
        "least_loaded": LeastLoaded,
        "prefix": PrefixAffine,
        "cost": Cheapest,
        "latency": Quickest,
    }
)
