"""The town's knowledge, built once by the product's own ingestion, copied for each test."""

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.agents.qa.town import ScriptedChat, build

from zhengwu.agents.qa.path import CitizenQA, citizen_qa
from zhengwu.db.engine import open_database
from zhengwu.rag.knowledge import Knowledge

MakeQA = Callable[[ScriptedChat], CitizenQA]


@pytest.fixture(scope="session")
def built_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("town")
    build(folder)
    return folder


@pytest.fixture
async def engine(built_town: Path, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """The town's database, this test's own copy."""
    shutil.copytree(built_town, tmp_path / "town")
    opened = open_database(f"sqlite+aiosqlite:///{tmp_path / 'town' / 'town.db'}")
    yield opened
    await opened.dispose()


@pytest.fixture
def knowledge(engine: AsyncEngine, tmp_path: Path) -> Knowledge:
    return Knowledge(engine, tmp_path / "town" / "store")


@pytest.fixture
def make_qa(engine: AsyncEngine, knowledge: Knowledge) -> MakeQA:
    """The real path over the town, with a chat model of the test's own."""
    return lambda chat: citizen_qa(engine, knowledge, chat, "chat")
