"""The asked questions in the database. Knows rows; knows no index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from zhengwu.db.tables import AskedRow, Chunk, ClauseRow, Document
from zhengwu.rag.asked import Asked, Labelled
from zhengwu.rag.store import LIVE


@dataclass(frozen=True)
class AskableDocument:
    """A live document, and what its questions were last looked for with."""

    id: int
    title: str
    version: str
    digest: str | None


@dataclass(frozen=True)
class StoredAsked:
    """A question as readers know it."""

    id: int
    document: int
    chunk: int
    clause_id: str
    text: str


async def askable(connection: AsyncConnection, kb: str) -> list[AskableDocument]:
    """Every live document of `kb`."""
    query = select(Document.id, Document.title, Document.meta, Document.asked_digest)
    rows = await connection.execute(query.where(Document.kb == kb, Document.state == LIVE))
    return [
        AskableDocument(row.id, row.title, _version(row.meta), row.asked_digest) for row in rows
    ]


async def labelled(connection: AsyncConnection, document: int) -> list[Labelled]:
    """The articles and paragraphs of a document, in reading order."""
    row = ClauseRow
    query = select(row.clause_id, row.level, row.label, row.text).where(
        row.document == document, row.level.in_(("条", "段"))
    )
    return [Labelled(*found) for found in await connection.execute(query.order_by(row.position))]


async def replace_asked(
    connection: AsyncConnection, kb: str, document: int, asked: Sequence[Asked]
) -> list[tuple[int, str]]:
    """Put the questions of a document in the place of all it had: their (id, text)."""
    await connection.execute(delete(AskedRow).where(AskedRow.document == document))
    chunks = await _chunk_of_clause(connection, document)
    values = [
        {
            "kb": kb,
            "document": document,
            "chunk": chunks[one.clause_id],
            "clause_id": one.clause_id,
            "text": one.text,
            "embedded": False,
        }
        for one in asked
        if one.clause_id in chunks
    ]
    if not values:
        return []
    query = insert(AskedRow).returning(AskedRow.id, AskedRow.text, sort_by_parameter_order=True)
    return [(row.id, row.text) for row in await connection.execute(query, values)]


async def set_asked_digest(connection: AsyncConnection, document: int, digest: str) -> None:
    """Note with what the questions of a document were looked for."""
    await connection.execute(
        update(Document).where(Document.id == document).values(asked_digest=digest)
    )


async def live_asked(connection: AsyncConnection, kb: str) -> list[StoredAsked]:
    """Every question of the live documents of `kb`."""
    row = AskedRow
    query = select(row.id, row.document, row.chunk, row.clause_id, row.text)
    query = query.join(Document, row.document == Document.id)
    rows = await connection.execute(query.where(row.kb == kb, Document.state == LIVE))
    return [StoredAsked(*found) for found in rows]


async def asked_without_vectors(
    connection: AsyncConnection, kb: str, limit: int
) -> list[tuple[int, str]]:
    """Questions of live documents that have no vector yet, as (id, text), oldest first."""
    query = (
        select(AskedRow.id, AskedRow.text)
        .join(Document, AskedRow.document == Document.id)
        .where(AskedRow.kb == kb, Document.state == LIVE, AskedRow.embedded.is_(False))
    )
    rows = await connection.execute(query.order_by(AskedRow.id).limit(limit))
    return [(row.id, row.text) for row in rows]


async def set_asked_embedded(connection: AsyncConnection, asked: Sequence[int]) -> None:
    """Note that the questions have vectors now."""
    await connection.execute(update(AskedRow).where(AskedRow.id.in_(asked)).values(embedded=True))


async def forget_asked_vectors(connection: AsyncConnection, kb: str) -> None:
    """Note that no question of `kb` has a vector any more."""
    await connection.execute(update(AskedRow).where(AskedRow.kb == kb).values(embedded=False))


def _version(meta: Mapping[str, Any]) -> str:
    return str(meta.get("evidence", {}).get("version_date", ""))


async def _chunk_of_clause(connection: AsyncConnection, document: int) -> dict[str, int]:
    """The first chunk that holds each clause or a part of it."""
    query = select(Chunk.id, Chunk.clause_ids).where(Chunk.document == document)
    found: dict[str, int] = {}
    for row in await connection.execute(query.order_by(Chunk.position)):
        for name in row.clause_ids:
            while name:
                found.setdefault(name, row.id)
                name = name.rpartition(".")[0]
    return found
