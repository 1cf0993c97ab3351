"""Open the database. Knows URLs and pragmas; knows no table."""

from sqlalchemy import event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry


def open_database(url: str) -> AsyncEngine:
    """Open `url` (`sqlite+aiosqlite:///…` or `postgresql+psycopg://…`).

    SQLite gets WAL, a 10 s busy timeout and foreign keys, so that one gateway, one worker and
    the command line may share a file without lock errors.
    """
    engine = create_async_engine(url, pool_pre_ping=not is_sqlite(url))
    if is_sqlite(url):
        event.listen(engine.sync_engine, "connect", _pragmas)
        event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def reader(engine: AsyncEngine) -> AsyncEngine:
    """The same database for transactions that only read: they never wait for a writer."""
    return engine.execution_options(only_reads=True)


def is_sqlite(url: str) -> bool:
    """Whether `url` names SQLite."""
    return make_url(url).get_backend_name() == "sqlite"


def _pragmas(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    # The driver must not open transactions by itself: `_begin_immediate` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "busy_timeout=10000", "foreign_keys=ON", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # A deferred transaction that starts with a read cannot wait for the write lock later:
    # SQLite answers "database is locked" at once (https://www.sqlite.org/isolation.html).
    only_reads = connection.get_execution_options().get("only_reads")
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")
