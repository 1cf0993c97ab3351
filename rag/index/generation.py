"""Publish the index: one row says which vector segments go with the committed full text.

Readers open exactly what the newest row names and never see half a batch.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from zhengwu.db.tables import Generation, now
from zhengwu.rag.errors import WriterBusy

GRACE = timedelta(minutes=10)
"""How long a reader may take between reading a generation and opening its files."""


@dataclass(frozen=True)
class Published:
    """One published state of the index of a knowledge base."""

    id: int
    kb: str
    opstamp: int
    segments: tuple[str, ...]
    chunks: int
    embedded: int
    asked_segments: tuple[str, ...] = ()


async def newest(connection: AsyncConnection, kb: str) -> Published | None:
    """The newest published state; None before the first."""
    query = select(Generation.__table__).where(Generation.kb == kb)
    row = (await connection.execute(query.order_by(Generation.id.desc()).limit(1))).first()
    if row is None:
        return None
    return Published(
        row.id,
        row.kb,
        row.opstamp,
        tuple(row.segments),
        row.chunks,
        row.embedded,
        tuple(row.asked_segments),
    )


async def prune(connection: AsyncConnection, kb: str, folder: Path) -> list[Path]:
    """Drop rows that no reader starts from any more; the segment files in `folder` then unnamed.

    The caller holds the write lock, and deletes the files after it has committed.
    """
    last = await newest(connection, kb)
    if last is None:
        return []
    cutoff = now() - GRACE
    await connection.execute(
        delete(Generation).where(
            Generation.kb == kb, Generation.id < last.id, Generation.created < cutoff
        )
    )
    columns = select(Generation.segments, Generation.asked_segments)
    rows = await connection.execute(columns.where(Generation.kb == kb))
    named = {name for row in rows for name in (*row.segments, *row.asked_segments)}
    files = (path for path in folder.glob("*.faiss") if path.name not in named)
    return [path for path in files if path.stat().st_mtime < cutoff.timestamp()]


def write_lock(store: Path, wait_s: float) -> FileLock:
    """Take the lock that makes its holder the only writer of the knowledge store.

    Raises:
        WriterBusy: another process holds it for longer than `wait_s` seconds.
    """
    store.mkdir(parents=True, exist_ok=True)
    # Not thread-local: it may be taken in a thread and released by the event loop.
    lock = FileLock(store / "writer.lock", thread_local=False)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout as error:
        raise WriterBusy(
            "知识库正由另一进程写入；请等它结束，"
            "或在运行中的平台里提交（zhengwu kb ingest 会自动排队）"
        ) from error
    return lock
