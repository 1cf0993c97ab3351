"""Locks a name out after failures, longer each time. Kept in the database, for every gateway.

Every attempt counts as a failure before it is judged, and is forgiven when it succeeds: so a
thousand guesses at once are counted, not let through. Names that nobody has lock out alike.
"""

import hashlib
import math
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from zhengwu.db.tables import SignInFailures, now
from zhengwu.db.tables.base import in_utc
from zhengwu.gateway.signin.errors import LockedOut

FREE = 5
"""So many failures cost nothing."""
FIRST_S, LONGEST_S = 30, 3600
FORGOTTEN = timedelta(hours=24)


def delay_s(failures: int) -> int:
    """Seconds that a name is locked after so many failures in a row."""
    if failures < FREE:
        return 0
    return min(FIRST_S * 2 ** min(failures - FREE, 20), LONGEST_S)


class Lockout:
    """Counts failures by name."""

    def __init__(self, engine: AsyncEngine, clock: Callable[[], datetime] = now) -> None:
        self._engine = engine
        self._clock = clock

    async def count(self, name: str) -> None:
        """Count an attempt of `name`.

        Raises:
            LockedOut: the name must wait; this attempt is not judged.
        """
        moment, key = self._clock(), _digest(name)
        async with AsyncSession(self._engine) as session, session.begin():
            await session.execute(
                delete(SignInFailures).where(SignInFailures.updated < moment - FORGOTTEN)
            )
            row = await _row(session, key, moment)
            until = in_utc(row.locked_until) if row.locked_until else None
            if until is not None and until > moment:
                wait = math.ceil((until - moment).total_seconds())
                raise LockedOut(f"登录失败次数过多，请 {wait} 秒后再试。", wait)
            row.failures += 1
            row.updated = moment
            wait = delay_s(row.failures)
            row.locked_until = moment + timedelta(seconds=wait) if wait else None

    async def forgive(self, name: str) -> None:
        """Forget the failures of `name`: it has just signed in."""
        async with self._engine.begin() as connection:
            await connection.execute(
                delete(SignInFailures).where(SignInFailures.name_digest == _digest(name))
            )


async def _row(session: AsyncSession, key: str, moment: datetime) -> SignInFailures:
    """The row of `key`, locked until the transaction ends."""
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    fresh = insert(SignInFailures).values(name_digest=key, failures=0, updated=moment)
    await session.execute(fresh.on_conflict_do_nothing())
    query = select(SignInFailures).where(SignInFailures.name_digest == key).with_for_update()
    return (await session.scalars(query)).one()


def _digest(name: str) -> str:
    return hashlib.sha256(name.casefold().encode("utf-8", "surrogatepass")).hexdigest()
