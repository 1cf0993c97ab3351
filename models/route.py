"""One route: the upstreams behind a name, and how they are chosen. A value; opens nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from zhengwu.models.policies.budget import RetryBudget
from zhengwu.models.policies.load import Loads
from zhengwu.models.policies.orders import Listed, Orders
from zhengwu.models.upstream import Call, Patience, Upstream


@dataclass(frozen=True)
class Hedge:
    """A second upstream is asked as well when the first says nothing for `after_s`.

    Only calls of at most `tokens` are hedged; those of unknown size are not.
    """

    after_s: float
    tokens: int


@dataclass(frozen=True)
class Waits:
    """How long an upstream may take while another one could be asked.

    A call of at most `short_tokens` that is streamed must begin within `short_first_byte_s`. The
    last upstream that is left gets all the time that the egress allows.
    """

    connect_s: float | None = 0.7
    first_byte_s: float | None = None
    silence_s: float | None = None
    short_tokens: int = 0
    short_first_byte_s: float = 0.7

    def patience(self, call: Call, others: bool) -> Patience:
        """The patience for one try; `others`: whether another upstream is left."""
        if not others:
            return Patience(silence_s=self.silence_s)
        short = call.stream and 0 < call.tokens <= self.short_tokens
        first_byte_s = self.short_first_byte_s if short else self.first_byte_s
        return Patience(self.connect_s, first_byte_s, self.silence_s)


@dataclass(frozen=True)
class Route:
    """A name's upstreams.

    Attributes:
        upstreams: First choice first, where the order keeps to the list.
        orders: The policy that orders them.
        waits: How long each may take.
        budget: How many second tries there may be.
        fallbacks: Routes to try when every upstream failed.
        overflow: Routes with a larger context, for requests too long for this one.
        hedge: Whether and when a second upstream is asked as well.
    """

    upstreams: tuple[Upstream, ...]
    orders: Orders = field(default_factory=lambda: Listed(Loads()))
    waits: Waits = Waits()
    budget: RetryBudget = field(default_factory=RetryBudget)
    fallbacks: tuple[str, ...] = ()
    overflow: tuple[str, ...] = ()
    hedge: Hedge | None = None


def route_of(upstreams: Route | Sequence[Upstream]) -> Route:
    """A route over `upstreams` in their order; a repeated upstream counts once."""
    if isinstance(upstreams, Route):
        return upstreams
    return Route(once(upstreams))


def once(upstreams: Iterable[Upstream]) -> tuple[Upstream, ...]:
    """Each upstream once, the first of its name."""
    found: dict[tuple[str, str], Upstream] = {}
    for upstream in upstreams:
        found.setdefault(upstream.identity, upstream)
    return tuple(found.values())
