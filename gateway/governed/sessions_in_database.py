"""Sessions kept in the database, so that neither a restart nor another gateway forgets them.

What this process knows to be at its highest is not asked again; on SQLite, where a gateway is
alone, neither is anything else it has read once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.engine import reader
from zhengwu.db.tables import SessionGrade, now
from zhengwu.gateway.errors import SessionsDown
from zhengwu.gateway.governed.sessions import KEPT, LocalSessions

HIGHEST = 3
"""Grade 4 never gets as far as a conversation."""
FORGOTTEN_AFTER = timedelta(days=180)
SWEEP_EVERY = timedelta(hours=6)


class DatabaseSessions:
    """`Sessions` over the table `session_grades`, with what was read lately in memory."""

    def __init__(self, engine: AsyncEngine, kept: int = KEPT) -> None:
        """`kept`: how many sessions are held in memory; all are in the database."""
        self._engine = engine
        self._alone = engine.dialect.name == "sqlite"
        self._near = LocalSessions(kept)
        self._swept: datetime | None = None

    async def grade(self, keys: Sequence[str]) -> int:
        """The highest grade that any of these carried.

        Raises:
            SessionsDown: the database does not answer.
        """
        near = await self._near.grade(keys)
        if near >= HIGHEST or (self._alone and all(self._near.knows(key) for key in keys)):
            return near
        query = select(SessionGrade.digest, SessionGrade.grade).where(SessionGrade.digest.in_(keys))
        try:
            async with reader(self._engine).connect() as connection:
                found = {row.digest: row.grade for row in await connection.execute(query)}
        except SQLAlchemyError as error:
            raise SessionsDown("会话分级记录无法读取，请检查数据库") from error
        for key in keys:
            await self._near.carry([key], found.get(key, 1))
        return max([near, *found.values()])

    async def carry(self, keys: Sequence[str], grade: int) -> None:
        """Raise each to at least this grade, in the database first.

        Raises:
            SessionsDown: the database does not answer.
        """
        below = [key for key in dict.fromkeys(keys) if await self._near.grade([key]) < grade]
        if not below:
            return
        try:
            async with self._engine.begin() as connection:
                await connection.execute(_raising(self._alone, below, grade))
                if self._swept is None or now() - self._swept > SWEEP_EVERY:
                    self._swept = now()
                    old = SessionGrade.seen < now() - FORGOTTEN_AFTER
                    await connection.execute(delete(SessionGrade).where(old))
        except SQLAlchemyError as error:
            raise SessionsDown("会话分级记录无法写入，请检查数据库") from error
        finally:
            await self._near.carry(below, grade)  # this process knows it in any case


def _raising(on_sqlite: bool, keys: Sequence[str], grade: int) -> sqlite.Insert | postgresql.Insert:
    """Insert, or raise where the grade kept is lower."""
    rows = [{"digest": key, "grade": grade, "seen": now()} for key in sorted(keys)]
    insert = (sqlite.insert if on_sqlite else postgresql.insert)(SessionGrade).values(rows)
    return insert.on_conflict_do_update(
        index_elements=[SessionGrade.digest],
        set_={"grade": grade, "seen": now()},
        where=SessionGrade.grade < grade,
    )
