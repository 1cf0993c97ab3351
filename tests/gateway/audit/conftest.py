"""Both databases in their newest shape, copied from one that is migrated once."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.conftest import POSTGRES
from tests.needs import need

from zhengwu.db.engine import open_database
from zhengwu.db.migrate import migrate


async def _migrated(url: str) -> None:
    engine = open_database(url)
    await migrate(engine)
    await engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    asyncio.run(_migrated(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[tuple[psycopg.Connection, str]]:
    name = f"zhengwu_template_{uuid.uuid4().hex[:12]}"
    try:
        server = psycopg.connect(f"{POSTGRES}/postgres", autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        need(False, f"PostgreSQL on 127.0.0.1:5432 as user postgres ({error})")
        raise
    with server:
        server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            asyncio.run(_migrated(f"{POSTGRES.replace('://', '+psycopg://')}/{name}"))
            yield server, name
        finally:
            server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "test.db")
        yield f"sqlite+aiosqlite:///{path}"
        return
    server, template = request.getfixturevalue("postgres_template")
    name = Identifier(f"zhengwu_test_{uuid.uuid4().hex[:12]}")
    server.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(name, Identifier(template)))
    try:
        yield f"{POSTGRES.replace('://', '+psycopg://')}/{name.as_string(None).strip(chr(34))}"
    finally:
        server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    opened = open_database(database_url)
    yield opened
    await opened.dispose()
