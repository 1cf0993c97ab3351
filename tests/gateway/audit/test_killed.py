"""kill -9 at every point, several gateways at once: no record is lost, none is there twice."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.audit.asked import a_chain
from tests.gateway.audit.killed_gateway import POINTS

from zhengwu.db.tables import AuditRecord
from zhengwu.gateway.audit.keys import open_key, trusted
from zhengwu.gateway.audit.move import Mover
from zhengwu.gateway.audit.verify import verify

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = "tests.gateway.audit.killed_gateway"


async def run_all(url: str, folder: Path) -> list[list[str]]:
    """Every word that the gateways said."""
    command = (sys.executable, "-W", "error", "-m", SCRIPT, url, str(folder))
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, cwd=ROOT, stdout=subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return [line.split() for line in said.decode().splitlines()]


async def test_nothing_is_lost_or_doubled(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    open_key(tmp_path)
    said = await run_all(database_url, tmp_path)
    assert [end for word, end in said if word == "ended"] == ["-9"] * len(POINTS)
    last = Mover(tmp_path / "journals", a_chain(engine, tmp_path))
    await last.step()
    assert list((tmp_path / "journals").glob("[!.]*")) == []

    intended = {name for word, name in said if word == "i"}
    completed = {name for word, name in said if word == "c"}
    async with engine.connect() as connection:
        rows = (await connection.execute(select(AuditRecord.request_id, AuditRecord.outcome))).all()
    assert max(Counter(row.request_id for row in rows).values()) == 1
    outcomes = {row.request_id: row.outcome for row in rows}
    assert intended <= outcomes.keys()
    # Each gateway may have written one more line than it could say.
    extra = [name for name in outcomes.keys() - intended if not name.startswith("torn-")]
    assert len(extra) <= len(POINTS)
    assert {outcomes[name] for name in completed} == {"done"}
    assert [outcomes[name] for name in intended - completed].count("done") <= len(POINTS)
    verdict = await verify(engine, trusted(tmp_path))
    assert verdict.fault is None
    assert verdict.records == len(rows) > 100
