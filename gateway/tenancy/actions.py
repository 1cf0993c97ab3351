"""Writes down every administrative action, in the transaction of the change itself.

Knows who did what to what, and digests of before and after; never the values.
"""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime
from typing import Protocol

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from zhengwu.db.engine import reader
from zhengwu.db.tables import AdminActionRow, now
from zhengwu.gateway.tenancy.changes import Changes, bump
from zhengwu.gateway.tenancy.roles import Actor

DONE, REFUSED = "done", "refused"


@dataclass(frozen=True)
class AdminAction:
    """One administrative action. `before` and `after` are SHA-256, empty for nothing."""

    at: datetime
    actor: str
    role: str
    action: str
    target: str
    before: str = ""
    after: str = ""
    outcome: str = DONE


class AdminTrail(Protocol):
    """Where administrative actions are written down."""

    async def record(self, session: AsyncSession, action: AdminAction) -> None:
        """Write `action` in the transaction of `session`: both are kept, or neither."""
        ...


class TableTrail:
    """Writes into `admin_actions`."""

    async def record(self, session: AsyncSession, action: AdminAction) -> None:
        """Add the row."""
        session.add(AdminActionRow(**asdict(action)))


class AdminWrites:
    """Opens the transactions in which administrators change things."""

    def __init__(self, engine: AsyncEngine, changes: Changes, trail: AdminTrail) -> None:
        self.engine = engine
        self.reader = reader(engine)
        self._changes = changes
        self._trail = trail

    @asynccontextmanager
    async def change(self, counter: str) -> AsyncGenerator[AsyncSession]:
        """A transaction that no other change of the same subject overlaps.

        When it is committed, this process hears of it before the context is left.
        """
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            async with session.begin():
                await bump(session, counter)
                yield session
        await self._changes.happened(counter)

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession]:
        """A transaction that only reads."""
        async with AsyncSession(self.reader) as session:
            yield session

    async def record(
        self,
        session: AsyncSession,
        actor: Actor,
        action: str,
        target: str,
        before: object = None,
        after: object = None,
    ) -> None:
        """Write down what is being done in `session`."""
        await self._trail.record(
            session,
            AdminAction(
                now(), actor.id, actor.role, action, target, digest_of(before), digest_of(after)
            ),
        )

    async def refused(self, actor: Actor, action: str, target: str) -> None:
        """Write down what somebody who is signed in tried and may not do."""
        async with AsyncSession(self.engine) as session, session.begin():
            row = AdminAction(now(), actor.id, actor.role, action, target[:80], outcome=REFUSED)
            await self._trail.record(session, row)


def digest_of(value: object) -> str:
    """SHA-256 of a record's JSON with sorted keys; empty for None."""
    if value is None:
        return ""
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    text = orjson.dumps(plain, default=_plain, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, frozenset | set):
        return sorted(str(item) for item in value)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
    return str(value)
