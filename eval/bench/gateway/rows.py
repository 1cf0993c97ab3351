"""Counts the audit records of a bench's requests, and has the chain verified. Sends nothing."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from zhengwu.db.engine import open_database, reader
from zhengwu.db.tables import AuditRecord
from zhengwu.eval.bench.gateway.processes import python, run

STILL_S = 20.0
"""Records are on their way from the journal to the database as long as more arrive within this."""
POLL_S = 0.5


@dataclass(frozen=True)
class Key:
    """A key to our gateway: its secret and its id."""

    secret: str
    key_id: str


def audit_rows(home: Path, key: Key, sent: int, environment: Mapping[str, str]) -> dict[str, Any]:
    """Records against requests: `sent`, `rows`, `by_outcome`, and whether the chain `verified`."""
    outcomes = asyncio.run(_arrived(home, key.key_id, sent))
    command = python("zhengwu.cli.app", "audit", "verify", "--json")
    verdict = json.loads(run(command, set(), environment))
    rows = sum(outcomes.values())
    return {"sent": sent, "rows": rows, "by_outcome": outcomes, "verified": verdict["ok"]}


async def _arrived(home: Path, key_id: str, sent: int) -> dict[str, int]:
    engine = open_database(f"sqlite+aiosqlite:///{home / 'zhengwu.db'}")
    counted = select(AuditRecord.outcome, func.count()).where(AuditRecord.key_id == key_id)
    before, ends = -1, time.monotonic() + STILL_S
    try:
        while True:
            async with reader(engine).connect() as connection:
                found = await connection.execute(counted.group_by(AuditRecord.outcome))
                outcomes: dict[str, int] = {row[0]: row[1] for row in found}
            rows = sum(outcomes.values())
            if rows >= sent or time.monotonic() > ends:
                return outcomes
            if rows > before:
                before, ends = rows, time.monotonic() + STILL_S
            await asyncio.sleep(POLL_S)
    finally:
        await engine.dispose()
