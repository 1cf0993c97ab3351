"""Every upstream one request was tried at, in order, and how each ended. Opens no connection.

A `Call` carries one collector through every policy; whoever made the call reads it afterwards.
"""

from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

OPEN, OK, LEFT = "open", "ok", "left"
"""Outcomes that are no error's code: still being read, read to its end, left by the reader."""


NOT_SENT = frozenset(
    {"egress_refused", "upstream_resting", "upstream_busy", "upstream_key_missing"}
)
"""Outcomes of an upstream that never saw the request."""


@dataclass(frozen=True)
class Attempt:
    """One upstream that was tried, in order, and how that ended (`ok` or an error's code).

    `milliseconds` runs from the try to its end, waiting in our own queue included.
    """

    upstream: str
    outcome: str
    milliseconds: float
    why: str = ""
    queued_ms: float = 0.0
    first_byte_ms: float | None = None


class Tried(Protocol):
    """An upstream, as far as it matters here."""

    @property
    def name(self) -> str:
        """What the trace calls it."""
        ...

    @property
    def identity(self) -> tuple[str, str]:
        """What makes two upstreams the same one."""
        ...


@dataclass(slots=True)
class Trial:
    """An attempt while it runs. Policies note what they alone know."""

    upstream: Tried
    began: float
    queued_s: float = 0.0
    first_byte_s: float | None = None
    outcome: str = OPEN
    why: str = ""
    ended: float | None = None

    def end(self, outcome: str, why: str = "") -> None:
        """Note how it ended. Only the first end counts."""
        if self.ended is None:
            self.outcome, self.why, self.ended = outcome, why, monotonic()

    def attempt(self) -> Attempt:
        """The attempt as it stands now."""
        first = self.first_byte_s
        return Attempt(
            self.upstream.name,
            self.outcome,
            ((self.ended or monotonic()) - self.began) * 1000,
            self.why,
            self.queued_s * 1000,
            None if first is None else first * 1000,
        )


@dataclass(slots=True)
class Attempts:
    """The attempts of one request. Filled by the router; a request never has two of them."""

    _trials: list[Trial] = field(default_factory=list[Trial])
    _tried: dict[tuple[str, str], Trial] = field(default_factory=dict[tuple[str, str], Trial])
    answered: Tried | None = None
    """The upstream whose answer the caller got, whole or not."""

    def begin(self, upstream: Tried) -> Trial:
        """Note that `upstream` is tried now."""
        trial = Trial(upstream, monotonic())
        self._trials.append(trial)
        self._tried[upstream.identity] = trial
        return trial

    def skip(self, upstream: Tried, outcome: str, why: str) -> None:
        """Note that `upstream` was passed over, and why. It may still be tried later."""
        now = monotonic()
        self._trials.append(Trial(upstream, now, outcome=outcome, why=why, ended=now))

    def take(self, part: "Attempts") -> None:
        """Count the attempts of a part of the request, each upstream once for all parts."""
        self._trials += [t for t in part._trials if t.upstream.identity not in self._tried]
        self._tried |= part._tried
        self.answered = part.answered or self.answered

    def has(self, upstream: Tried) -> bool:
        """Whether `upstream` was tried already, under whatever name."""
        return upstream.identity in self._tried

    def of(self, upstream: Tried) -> Trial | None:
        """The trial of `upstream`, to note something in it."""
        return self._tried.get(upstream.identity)

    @property
    def sent(self) -> int:
        """How many upstreams were sent the request, as far as is known now."""
        return sum(trial.outcome not in NOT_SENT for trial in self._tried.values())

    @property
    def all(self) -> tuple[Attempt, ...]:
        """Every attempt in order, as it stands now."""
        return tuple(trial.attempt() for trial in self._trials)
