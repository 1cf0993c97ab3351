"""The gateway of the folder above, in front of a scripted upstream."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from openai import AsyncOpenAI
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.conftest import Running
from tests.gateway.upstream import running_upstream
from tests.gateway.wire.scripted import Scripted

from zhengwu.db.engine import open_database
from zhengwu.db.migrate import migrate
from zhengwu.settings import Settings, read_settings


@pytest.fixture
async def wire() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    async with running_upstream(scripted):
        yield scripted


@pytest.fixture
def settings(tmp_path: Path, wire: Scripted) -> Settings:
    return read_settings(home=tmp_path, pool_port=wire.port, max_upload_mb=3)


@pytest.fixture
async def either(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A database of each kind, with no gateway on it."""
    opened = open_database(database_url)
    await migrate(opened)
    yield opened
    await opened.dispose()


@pytest.fixture
async def ai(gateway: Running) -> AsyncIterator[AsyncOpenAI]:
    url = f"{gateway.url}/v1"
    async with AsyncOpenAI(base_url=url, api_key=gateway.key, max_retries=0) as client:
        yield client
