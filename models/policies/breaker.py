"""Leaves an upstream alone that failed or asked for a pause, and then tries it with one call.

Knows kinds of failure and a clock that only runs forward; knows no route and no order.
"""

import logging
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Literal

from zhengwu.models.errors import (
    ContentRefused,
    ContextOverflow,
    DeadlinePassed,
    UpstreamBusy,
    UpstreamError,
    UpstreamKeyMissing,
    UpstreamLimited,
    UpstreamRejects,
    UpstreamResting,
)
from zhengwu.models.upstream import Call, Opens, Reply, Upstream

LOG = logging.getLogger(__name__)
State = Literal["closed", "open", "half_open"]
ANSWERED = (ContextOverflow, ContentRefused)
"""The upstream does its part; the request was not for it."""
NO_VERDICT = (DeadlinePassed, UpstreamBusy, UpstreamKeyMissing)
"""Nothing was heard of the upstream."""


@dataclass(frozen=True)
class Rests:
    """How long an upstream is left alone, in seconds.

    Attributes:
        failures: So many in a row open the breaker.
        first_s: The first rest after its own failures; each further one is twice as long.
        longest_s: No rest after its own failures is longer.
        limited_s: After a 429 that does not say how long.
        longest_limit_s: A `Retry-After` beyond this is cut.
        rejected_s: After it rejected us, which a person has to mend; doubled up to ten times.
    """

    failures: int = 4
    first_s: float = 1.0
    longest_s: float = 15.0
    limited_s: float = 2.0
    longest_limit_s: float = 300.0
    rejected_s: float = 60.0


@dataclass(slots=True)
class _Gate:
    failures: int = 0
    rests: int = 0
    until: float | None = None
    """Closed while None; open until then; half open after it."""
    probing: bool = False
    why: str = ""


class Breakers:
    """One breaker for each upstream, around an `Opens`."""

    def __init__(
        self, opens: Opens, rests: Rests | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        """`clock` is in seconds and never runs back."""
        self._opens = opens
        self._rests = rests or Rests()
        self._clock = clock
        self._gates: dict[tuple[str, str], _Gate] = {}
        self._names: dict[tuple[str, str], str] = {}

    @asynccontextmanager
    async def open(self, upstream: Upstream, call: Call) -> AsyncGenerator[Reply]:
        """Open the call, if the upstream is not resting.

        Raises:
            UpstreamResting: it is; `wait_s` says for how long.
        """
        gate = self._gate(upstream)
        probe = self._admit(gate, upstream) if gate.until is not None else False
        try:
            async with self._opens.open(upstream, call) as reply:
                if probe:  # over once it is answered: a stream may go on for long
                    gate.until, gate.probing, probe = None, False, False
                    gate.failures = self._rests.failures - 1  # it has not ended well yet
                yield reply
            if gate.until is None:
                self._mended(gate)
        except ANSWERED:
            if probe:
                self._mended(gate)
            raise
        except NO_VERDICT:
            raise
        except UpstreamError as error:
            self._failed(gate, upstream, error, probe)
            raise
        finally:
            if probe:
                gate.probing = False

    @property
    def states(self) -> Mapping[str, State]:
        """The state of each upstream that was asked, by its name."""
        now = self._clock()
        return {self._names[which]: _state(gate, now) for which, gate in self._gates.items()}

    def _gate(self, upstream: Upstream) -> _Gate:
        gate = self._gates.get(upstream.identity)
        if gate is None:
            gate = self._gates[upstream.identity] = _Gate()
            self._names[upstream.identity] = upstream.name
        return gate

    def _admit(self, gate: _Gate, upstream: Upstream) -> bool:
        wait_s = (gate.until or 0.0) - self._clock()
        if wait_s > 0 or gate.probing:
            error = UpstreamResting(
                f"上游“{upstream.name}”暂停使用（{gate.why}），约 {max(wait_s, 1):.0f} 秒后再试"
            )
            error.wait_s = max(wait_s, 1.0)
            raise error
        gate.probing = True
        return True

    def _mended(self, gate: _Gate) -> None:
        gate.failures, gate.rests, gate.until, gate.probing = 0, 0, None, False

    def _failed(self, gate: _Gate, upstream: Upstream, error: UpstreamError, probe: bool) -> None:
        rests = self._rests
        gate.failures += 1
        if isinstance(error, UpstreamLimited):
            wait_s = rests.limited_s if error.wait_s is None else error.wait_s
            self._rest(gate, min(wait_s, rests.longest_limit_s), error)
        elif isinstance(error, UpstreamRejects):
            LOG.error("%s", error)
            self._rest(gate, rests.rejected_s * min(2**gate.rests, 10), error)
            gate.rests += 1
        elif probe or gate.failures >= rests.failures:
            rest_s = min(rests.first_s * 2**gate.rests, rests.longest_s)
            if probe or gate.until is None:  # failures of calls from before do not lengthen it
                self._rest(gate, max(rest_s * random.uniform(0.8, 1.0), error.wait_s or 0.0), error)
                gate.rests = min(gate.rests + 1, 10)

    def _rest(self, gate: _Gate, rest_s: float, error: UpstreamError) -> None:
        gate.until = max(gate.until or 0.0, self._clock() + rest_s)
        gate.why = error.code
        LOG.warning("an upstream rests for %.1f s: %s", rest_s, error.code)


def _state(gate: _Gate, now: float) -> State:
    if gate.until is None:
        return "closed"
    return "open" if gate.until > now else "half_open"
