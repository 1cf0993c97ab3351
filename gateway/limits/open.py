"""Opens the limits that fit the database: SQLite counts in memory, PostgreSQL for all gateways."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.engine import is_sqlite
from zhengwu.gateway.limits.leases import RedisLeases
from zhengwu.gateway.limits.limiter import CountedLimits
from zhengwu.gateway.limits.memory import MemoryCounters
from zhengwu.gateway.limits.postgres import PostgresCounters
from zhengwu.settings import Settings

LOG = logging.getLogger("zhengwu.gateway.limits")
MAX_SKEW_S = 1.0


@asynccontextmanager
async def open_limits(settings: Settings, engine: AsyncEngine) -> AsyncGenerator[CountedLimits]:
    """The limits of this gateway, closed in the end so that nothing reserved is forgotten.

    Raises:
        LimitsUnavailable: PostgreSQL does not answer.
    """
    if is_sqlite(settings.database):
        counters = await MemoryCounters.open(engine, settings.run_dir)
    else:
        counters = await PostgresCounters.open(settings.database, _leases(settings))
        warn_of_skew(counters.skew_s)
    try:
        yield CountedLimits(counters)
    finally:
        await counters.close()


def _leases(settings: Settings) -> RedisLeases | None:
    return RedisLeases(settings.redis_url) if settings.redis_url else None


def warn_of_skew(skew_s: float) -> None:
    """Say so when this machine's clock is wrong. Limits hold all the same: they ask the database's.

    Keys' expiry dates and the times in the audit trail come from this machine.
    """
    if abs(skew_s) > MAX_SKEW_S:
        LOG.warning(
            "本机时钟比数据库%s %.1f 秒。限额按数据库时钟计，不受影响；"
            "但密钥有效期和审计时间会有偏差，请为本机启用时间同步（NTP，如 chronyd）。",
            "快" if skew_s > 0 else "慢",
            abs(skew_s),
        )
