"""Counts which kinds of limits callers reach. Wraps `Limits`; decides nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from zhengwu.gateway.errors import LimitReached
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.ports import Ask, Limits, Reservation


@dataclass(frozen=True)
class WatchedLimits:
    """`limits`, and `reached` is told the kind of every limit that had no room."""

    limits: Limits
    reached: Callable[[str], None]

    async def reserve(self, caller: Caller, ask: Ask) -> Reservation:
        """As `Limits.reserve`."""
        try:
            return await self.limits.reserve(caller, ask)
        except LimitReached as error:
            self.reached(error.limit.kind)
            raise
