"""Open the database of a home, brought to its newest shape."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.engine import open_database
from zhengwu.db.migrate import migrate
from zhengwu.settings import Settings


@asynccontextmanager
async def open_engine(settings: Settings) -> AsyncGenerator[AsyncEngine]:
    """The database, brought to its newest shape."""
    settings.home.mkdir(parents=True, exist_ok=True)
    engine = open_database(settings.database)
    try:
        await migrate(engine)
        yield engine
    finally:
        await engine.dispose()
