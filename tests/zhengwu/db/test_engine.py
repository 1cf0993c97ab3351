"""Several processes on one database: writers wait for each other, readers for nobody."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.engine import is_sqlite, open_database, reader
from zhengwu.db.migrate import migrate
from zhengwu.db.tables import Chunk, Job

SRC = Path(__file__).resolve().parents[3] / "src"
WRITERS, TRANSACTIONS = 8, 50
WRITE = """
import asyncio, sys
from sqlalchemy import insert, select, update
from zhengwu.db.engine import open_database
from zhengwu.db.tables import Job

async def main(url, times):
    engine = open_database(url)
    for _ in range(times):
        async with engine.begin() as connection:  # reads first: the classic way to a lock error
            seen = (await connection.execute(select(Job.attempts).where(Job.id == 1))).scalar_one()
            await connection.execute(update(Job).where(Job.id == 1).values(attempts=seen + 1))
            await connection.execute(insert(Job).values(kind="k", payload={}))
    await engine.dispose()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.fixture
async def file(tmp_path: Path) -> AsyncEngine:
    """SQLite with one job."""
    engine = open_database(f"sqlite+aiosqlite:///{tmp_path / '数据 库.db'}")
    await migrate(engine)
    async with engine.begin() as connection:
        await connection.execute(insert(Job).values(kind="counter", payload={}))
    return engine


async def _attempts(engine: AsyncEngine) -> int:
    async with reader(engine).connect() as connection:
        return (await connection.execute(select(Job.attempts).where(Job.id == 1))).scalar_one()


async def test_eight_writing_processes_meet_no_lock_error(file: AsyncEngine) -> None:
    url = file.url.render_as_string()
    command = [sys.executable, "-W", "error", "-c", WRITE, url, str(TRANSACTIONS)]
    running = [
        await asyncio.create_subprocess_exec(
            *command, env={"PYTHONPATH": str(SRC)}, stderr=subprocess.PIPE
        )
        for _ in range(WRITERS)
    ]
    for process in running:
        _, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
    assert await _attempts(file) == WRITERS * TRANSACTIONS
    await file.dispose()


async def test_a_reader_waits_for_no_writer(file: AsyncEngine) -> None:
    async with file.begin() as writing:
        await writing.execute(text("UPDATE jobs SET attempts = 7"))
        assert await _attempts(file) == 0, "what is not committed is not seen"
    assert await _attempts(file) == 7
    await file.dispose()


async def test_pragmas_are_in_force(file: AsyncEngine) -> None:
    async with file.connect() as connection:
        for pragma, value in (("journal_mode", "wal"), ("foreign_keys", 1), ("synchronous", 2)):
            row = await connection.execute(text(f"PRAGMA {pragma}"))
            assert row.scalar_one() == value
    await file.dispose()


async def test_a_transaction_that_fails_leaves_nothing(file: AsyncEngine) -> None:
    with pytest.raises(ZeroDivisionError):
        async with file.begin() as connection:
            await connection.execute(text("UPDATE jobs SET attempts = 9"))
            raise ZeroDivisionError
    assert await _attempts(file) == 0
    await file.dispose()


async def test_foreign_keys_hold(engine: AsyncEngine) -> None:
    chunk = {"kb": "k", "document": 99, "position": 0, "clause_ids": [], "path": "", "text": ""}
    with pytest.raises(IntegrityError):
        async with engine.begin() as connection:
            await connection.execute(insert(Chunk).values(**chunk, embedded=False))


async def test_a_killed_writer_loses_only_what_it_did_not_commit(tmp_path: Path) -> None:
    path = tmp_path / "killed.db"
    engine = open_database(f"sqlite+aiosqlite:///{path}")
    await migrate(engine)
    await engine.dispose()
    code = (
        "import sqlite3, sys, os, signal\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        'row = "INSERT INTO jobs (kind,payload,status,attempts,due,progress,created)'
        " VALUES ('k','{}','queued',0,'','0','')\"\n"
        "c.execute('BEGIN IMMEDIATE'); c.execute(row); c.execute('COMMIT')\n"
        "c.execute('BEGIN IMMEDIATE'); c.execute(row)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert killed.returncode == -9
    left = sqlite3.connect(path)
    assert left.execute("SELECT count(*) FROM jobs").fetchone() == (1,)
    left.close()


def test_urls_are_told_apart() -> None:
    assert is_sqlite("sqlite+aiosqlite:///x.db")
    assert not is_sqlite("postgresql+psycopg://postgres@127.0.0.1/x")
