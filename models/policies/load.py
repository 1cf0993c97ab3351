"""How busy and how quick each upstream is. Counts what passes; decides nothing."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from zhengwu.models.upstream import Call, Opens, Reply, Upstream

FRESH = 0.2
"""Weight of the newest time to first byte in the moving average."""


@dataclass(slots=True)
class Load:
    """One upstream now. `first_byte_s` is a moving average; None before the first answer."""

    tokens: int = 0
    calls: int = 0
    first_byte_s: float | None = None

    def answered(self, seconds: float) -> None:
        """Take a time to first byte into the average."""
        known = self.first_byte_s
        self.first_byte_s = seconds if known is None else known + FRESH * (seconds - known)


class Loads:
    """The load of every upstream that was ever asked."""

    def __init__(self) -> None:
        self._loads: dict[tuple[str, str], Load] = {}

    def of(self, upstream: Upstream) -> Load:
        """The load of `upstream`."""
        load = self._loads.get(upstream.identity)
        if load is None:
            load = self._loads[upstream.identity] = Load()
        return load


class Weighed:
    """Counts outstanding tokens and times to first byte, around an `Opens`."""

    def __init__(self, opens: Opens, loads: Loads) -> None:
        """`loads` is what the orders read."""
        self._opens = opens
        self._loads = loads

    @asynccontextmanager
    async def open(self, upstream: Upstream, call: Call) -> AsyncGenerator[Reply]:
        """Open the call. It weighs at least one token, waiting included, until it is closed."""
        load, tokens = self._loads.of(upstream), max(call.tokens, 1)
        load.tokens += tokens
        load.calls += 1
        try:
            async with self._opens.open(upstream, call) as reply:
                trial = call.attempts.of(upstream)
                if trial and trial.first_byte_s is not None:
                    load.answered(trial.first_byte_s)
                yield reply
        finally:
            load.tokens -= tokens
            load.calls -= 1
