"""Removes records whose time is over, up to a day's signed end. Sums of usage stay.

What is removed, and until which digest, is part of the signed state, so verification goes on.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import uuid4

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.tables import AuditHead, AuditRecord, AuditText
from zhengwu.gateway.audit.chain import Chain
from zhengwu.gateway.audit.errors import BadRange
from zhengwu.gateway.audit.record import AdminAction, china_day, of_action
from zhengwu.gateway.audit.seal import State, read_head, read_state

SHORTEST_DAYS = 180


@dataclass(frozen=True)
class Pruned:
    """How many records went, and the number of the last of them."""

    records: int
    last: int


async def prune(
    engine: AsyncEngine, chain: Chain, days: int, moment: datetime, actor: str = "system"
) -> Pruned:
    """Remove every record that was moved more than `days` days ago; leave a record of it.

    Raises:
        BadRange: fewer than 180 days.
        ChainBroken: the chain's end is not what was signed.
    """
    if days < SHORTEST_DAYS:
        raise BadRange(f"审计记录至少保留 {SHORTEST_DAYS} 天，不能改为 {days} 天。")
    before = china_day(moment) - timedelta(days=days)
    async with engine.begin() as connection:
        kept = read_state((await chain.change_state(connection, lambda state: state)).body)
        newest = await connection.scalar(
            select(AuditHead.body)
            .where(AuditHead.day < before)
            .order_by(AuditHead.number.desc())
            .limit(1)
        )
        head = read_head(newest.encode()) if newest else None
        if kept is None or head is None or head.seq <= kept.pruned_seq:
            return Pruned(0, kept.pruned_seq if kept else 0)

        def change(state: State) -> State:
            return replace(state, pruned_seq=head.seq, pruned_digest=head.digest)

        await chain.change_state(connection, change)
        await connection.execute(delete(AuditRecord).where(AuditRecord.seq <= head.seq))
        await connection.execute(delete(AuditText).where(AuditText.seq <= head.seq))
        records = head.seq - kept.pruned_seq
        action = _action(before, head.seq, records, moment, actor)
        await chain.append_in(connection, [of_action(action)])
    return Pruned(records, head.seq)


def _action(before: date, last: int, records: int, moment: datetime, actor: str) -> AdminAction:
    return AdminAction(
        id=uuid4().hex,
        actor=actor,
        role="system",
        action="audit.prune",
        target=f"audit_records 1..{last}",
        at=moment,
        details={"before": before.isoformat(), "records": records},
    )
