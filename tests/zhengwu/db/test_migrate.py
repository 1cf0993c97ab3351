"""Migrations lead exactly to tables.py, on both databases and from several processes at once."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.engine import open_database
from zhengwu.db.migrate import migrate
from zhengwu.db.tables import Table

SRC = Path(__file__).resolve().parents[3] / "src"
MIGRATE = """
import asyncio, sys
from zhengwu.db.engine import open_database
from zhengwu.db.migrate import migrate

async def main():
    engine = open_database(sys.argv[1])
    await migrate(engine)
    await engine.dispose()

asyncio.run(main())
"""


def _differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return list(compare_metadata(context, Table.metadata))


async def test_migrations_lead_to_the_tables(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences) == []


async def test_migrating_again_changes_nothing(engine: AsyncEngine) -> None:
    await migrate(engine)
    async with engine.connect() as connection:
        rows = (await connection.execute(text("SELECT version_num FROM alembic_version"))).all()
    assert len(rows) == 1


async def test_several_processes_migrate_at_once(database_url: str) -> None:
    command = [sys.executable, "-W", "error", "-c", MIGRATE, database_url]
    running = [
        await asyncio.create_subprocess_exec(
            *command, env={"PYTHONPATH": str(SRC)}, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for process in running:
        _, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
    engine = open_database(database_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences) == []
    await engine.dispose()
