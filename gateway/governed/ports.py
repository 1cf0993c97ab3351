"""What the governed path asks of its parts. Declared here because it is used here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from zhengwu.gateway.governed.caller import Caller
from zhengwu.models.attempts import Attempt


@dataclass(frozen=True)
class Ask:
    """What a request may take at most, before it is known what it takes.

    `cost` is micro-yuan for the tokens at the dearest upstream of the route.
    """

    request_id: str
    model: str
    input_tokens: int
    output_tokens: int
    cost: int


@dataclass(frozen=True)
class Spent:
    """What it took. All zero when no upstream answered."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0


class Authenticates(Protocol):
    """Tells who calls."""

    async def caller(self, secret: str) -> Caller:
        """The caller behind a bearer key.

        Raises:
            KeyRefused: unknown, revoked or past its date.
        """
        ...


class Reservation(Protocol):
    """A place held under every limit of a caller."""

    async def settle(self, spent: Spent) -> None:
        """Give back what was reserved and not spent. A second call changes nothing."""
        ...


class Limits(Protocol):
    """Counts what callers take, exactly and over every gateway."""

    async def reserve(self, caller: Caller, ask: Ask) -> Reservation:
        """Hold `ask` under every limit of `caller`, or under none.

        Raises:
            LimitReached: names the limit, its scope and when to come again (`wait_s`).
        """
        ...


@dataclass(frozen=True)
class Intent:
    """What is written down before an upstream is called."""

    request_id: str
    caller: Caller
    route: str
    model: str
    grade: int
    grade_reason: str
    input_digest: str
    reserved: Ask
    stream: bool
    started: float
    """Seconds since the epoch."""
    text: str | None = None
    """Only where the tenant opted in."""


@dataclass(frozen=True)
class Outcome:
    """What is written down when it is over."""

    request_id: str
    status: int
    outcome: str
    """`done`, `cut`, `left`, `refused` or `failed`."""
    code: str = ""
    attempts: tuple[Attempt, ...] = ()
    upstream: str = ""
    spent: Spent = Spent()
    output_digest: str = ""
    energy_wh: float = 0.0
    co2e_g: float = 0.0
    first_token_ms: float | None = None
    total_ms: float = 0.0
    notes: Mapping[str, str] = field(default_factory=dict[str, str])
    text: str | None = None


class Trail(Protocol):
    """The audit trail: one record a request. Neither call waits for a disk or a database."""

    def intend(self, intent: Intent) -> None:
        """Append the intent (`O_APPEND`); when this returns, a kill -9 cannot lose it."""
        ...

    def complete(self, outcome: Outcome) -> None:
        """Append the outcome of an intent."""
        ...
