"""The kinds of limit: what a request takes of each, and over which span it counts.

Pure arithmetic on microseconds; knows no counter and no store.
"""

from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

from zhengwu.gateway.governed.caller import LimitKind

KINDS: tuple[LimitKind, ...] = get_args(LimitKind)
"""Amounts travel as tuples in this order."""
MINUTE_KINDS = frozenset(kind for kind in KINDS if kind.endswith("_per_minute"))
BUDGETS = frozenset({"budget_day", "budget_month"})

SLOT_US = 100_000
"""What is taken under a minute limit is counted per tenth of a second (`limits.sql` as well)."""
WINDOW = 600
"""Slots that a minute has. A slot leaves the window when its last microsecond is a minute old."""
CONCURRENCY_WAIT_US = 1_000_000
"""When a place comes free is not known; asking once a second costs nobody anything."""

CHINA = timezone(timedelta(hours=8))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Amounts = tuple[int, int, int, int, int, int, int]


def amounts(input_tokens: int, output_tokens: int, cost: int) -> Amounts:
    """What a request of this size takes of each kind, in the order of `KINDS`."""
    return (1, input_tokens + output_tokens, input_tokens, output_tokens, 1, cost, cost)


def china_day(moment_us: int) -> int:
    """Days since 1970-01-01 in China."""
    return (moment_us // 1_000_000 + 8 * 3600) // 86_400


def period(kind: LimitKind, moment_us: int) -> str:
    """The day or month in China that a budget counts `moment_us` to; empty for other kinds."""
    if kind not in BUDGETS:
        return ""
    day = _at(moment_us).date().isoformat()
    return day if kind == "budget_day" else day[:7]


def rest_us(kind: LimitKind, moment_us: int) -> int:
    """How long until a limit of this kind may have room again; 0 where the window tells."""
    if kind in MINUTE_KINDS:
        return 0
    if kind == "concurrency":
        return CONCURRENCY_WAIT_US
    return max(1, period_end_us(kind, moment_us) - moment_us)


def period_end_us(kind: LimitKind, moment_us: int) -> int:
    """When the budget of the day or month of `moment_us` begins anew."""
    start = _at(moment_us).replace(hour=0, minute=0, second=0, microsecond=0)
    if kind == "budget_day":
        after = start + timedelta(days=1)
    else:
        after = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    return round((after - _EPOCH) / timedelta(microseconds=1))


def _at(moment_us: int) -> datetime:
    return (_EPOCH + timedelta(microseconds=moment_us)).astimezone(CHINA)
