"""Compares the sums of usage with the records they were added up from."""

import math
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from zhengwu.db.tables import AuditRecord, UsageDay
from zhengwu.gateway.audit.record import REQUEST
from zhengwu.gateway.audit.seal import State
from zhengwu.gateway.audit.sums import FIGURES, GROUPS

_ALL = ("requests", "failed", *FIGURES)


async def wrong_sums(connection: AsyncConnection, state: State) -> str | None:
    """What is wrong with the first sum that is; None if all are right.

    Days of which a record was pruned have only their sums left.
    """
    groups = [getattr(AuditRecord, name) for name in GROUPS]
    sums = [
        func.count().label("requests"),
        func.sum(case((AuditRecord.outcome != "done", 1), else_=0)).label("failed"),
        *(func.sum(getattr(AuditRecord, name)).label(name) for name in FIGURES),
    ]
    query = select(*groups, *sums).where(AuditRecord.kind == REQUEST).group_by(*groups)
    found = {row[: len(GROUPS)]: row for row in (await connection.execute(query)).all()}
    stored = {
        tuple(getattr(row, name) for name in GROUPS): row
        for row in (await connection.execute(select(UsageDay))).all()
    }
    oldest = await connection.scalar(select(AuditRecord.day).order_by(AuditRecord.seq).limit(1))
    for names in sorted(found.keys() | stored.keys()):
        if state.pruned_seq and (oldest is None or names[0] <= oldest):
            continue
        if not _same(found.get(names), stored.get(names)):
            return f"{names[0]} 密钥 {names[2]} 模型 {names[3]} 的用量合计与记录不符"
    return None


def _same(found: Any, stored: Any) -> bool:
    if found is None or stored is None:
        return False
    pairs = ((float(getattr(found, n)), float(getattr(stored, n))) for n in _ALL)
    return all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in pairs)
