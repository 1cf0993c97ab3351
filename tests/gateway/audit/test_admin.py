"""Administrative actions are links of the chain if, and only if, what they record is kept."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from tests.gateway.audit.asked import Clock, a_chain

from zhengwu.db.tables import AuditRecord
from zhengwu.gateway.audit.admin import ChainedActions
from zhengwu.gateway.audit.keys import trusted
from zhengwu.gateway.audit.verify import verify


@dataclass(frozen=True)
class Action:
    at: datetime = datetime(2026, 11, 24, tzinfo=UTC)
    actor: str = "user:1"
    role: str = "system_admin"
    action: str = "key.create"
    target: str = "key:1"
    before: str = ""
    after: str = "a" * 64
    outcome: str = "done"


@dataclass
class Beneath:
    kept: list[Action] = field(default_factory=list[Action])

    async def record(self, session: AsyncSession, action: Action) -> None:
        self.kept.append(action)


async def test_an_action_is_kept_with_its_change_or_not_at_all(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    beneath = Beneath()
    trail = ChainedActions(a_chain(engine, tmp_path, Clock()), beneath)
    with pytest.raises(ZeroDivisionError):
        async with AsyncSession(engine) as session, session.begin():
            await trail.record(session, Action())
            raise ZeroDivisionError
    async with AsyncSession(engine) as session, session.begin():
        await trail.record(session, Action(action="key.revoke"))
        await trail.record(session, Action(outcome="refused"))
    async with engine.connect() as connection:
        rows = (await connection.execute(select(AuditRecord).order_by(AuditRecord.seq))).all()
    assert [(r.kind, r.outcome, r.user_id) for r in rows] == [
        ("admin", "key.revoke", "user:1"),
        ("admin", "key.create", "user:1"),
    ]
    assert orjson.loads(rows[1].body)["details"]["outcome"] == "refused"
    assert len(beneath.kept) == 3
    assert (await verify(engine, trusted(tmp_path))).ok
