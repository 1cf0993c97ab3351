"""A limit that has no room is counted by its kind, and refuses as before."""

import pytest

from zhengwu.gateway.errors import LimitReached
from zhengwu.gateway.governed.caller import Caller, Limit
from zhengwu.gateway.governed.ports import Ask, Reservation
from zhengwu.gateway.telemetry.limits import WatchedLimits


class Full:
    async def reserve(self, caller: Caller, ask: Ask) -> Reservation:
        raise LimitReached("满了", Limit("key:1", "tokens_per_minute", 5), 3)


async def test_reached_limits_are_counted() -> None:
    reached: list[str] = []
    limits = WatchedLimits(Full(), reached.append)
    with pytest.raises(LimitReached):
        await limits.reserve(Caller("1", ""), Ask("r", "chat", 1, 1, 1))
    assert reached == ["tokens_per_minute"]
