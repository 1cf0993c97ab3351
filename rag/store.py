"""Documents, clauses and chunks in the database. Knows rows; knows no index and no file.

A document version is `pending` until the index that holds it is published, then `live`; the one
it replaces becomes `history`. What is pending belongs to a writer that did not finish.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import CursorResult, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from zhengwu.db.tables import AskedRow, Chunk, ClauseRow, Document, Generation
from zhengwu.rag.chunk import ChunkDraft
from zhengwu.rag.clause import Clause
from zhengwu.rag.errors import BadDocument
from zhengwu.rag.validity import Span

PENDING, LIVE, HISTORY = "pending", "live", "history"


@dataclass(frozen=True)
class DocumentDraft:
    """What is known of a document before it is stored."""

    doc_id: str
    title: str
    digest: str
    source: str
    kind: str
    organ: str | None
    document_number: str | None
    region: str | None
    status: str
    issued: date | None
    effective_from: date | None
    effective_to: date | None
    grade: int
    meta: dict[str, Any]


@dataclass(frozen=True)
class StoredChunk:
    """A chunk as it goes into the index."""

    id: int
    document: int
    path: str
    text: str


async def current_digests(connection: AsyncConnection, kb: str) -> dict[str, str]:
    """The digest of each live document by its id."""
    rows = await connection.execute(
        select(Document.doc_id, Document.digest).where(Document.kb == kb, Document.state == LIVE)
    )
    return {row.doc_id: row.digest for row in rows}


async def add_document(
    connection: AsyncConnection,
    kb: str,
    draft: DocumentDraft,
    clauses: Sequence[Clause],
    chunks: Sequence[ChunkDraft],
) -> tuple[int, list[StoredChunk]]:
    """Store one new version as pending; its row id and its chunks."""
    versions = select(func.coalesce(func.max(Document.version), 0)).where(
        Document.kb == kb, Document.doc_id == draft.doc_id
    )
    version = int((await connection.execute(versions)).scalar_one()) + 1
    values = {**vars(draft), "kb": kb, "version": version, "state": PENDING}
    added = await connection.execute(insert(Document).values(**values))
    document = _new_id(added)
    if clauses:
        await connection.execute(insert(ClauseRow), [_clause_row(document, c) for c in clauses])
    if not chunks:
        return document, []
    rows = await connection.execute(
        insert(Chunk).returning(Chunk.id, sort_by_parameter_order=True),
        [_chunk_row(kb, document, position, chunk) for position, chunk in enumerate(chunks)],
    )
    stored = [
        StoredChunk(row.id, document, chunk.path, chunk.text)
        for row, chunk in zip(rows, chunks, strict=True)
    ]
    return document, stored


async def replaced_by(connection: AsyncConnection, kb: str, documents: Iterable[int]) -> list[int]:
    """The live versions that the pending `documents` will replace."""
    fresh = select(Document.doc_id).where(Document.id.in_(list(documents)))
    rows = await connection.execute(
        select(Document.id).where(
            Document.kb == kb, Document.state == LIVE, Document.doc_id.in_(fresh)
        )
    )
    return [row.id for row in rows]


async def live_documents(connection: AsyncConnection, kb: str) -> set[int]:
    """The row id of every live version."""
    rows = await connection.execute(
        select(Document.id).where(Document.kb == kb, Document.state == LIVE)
    )
    return {row.id for row in rows}


async def chunks_of(
    connection: AsyncConnection, documents: Sequence[int]
) -> list[tuple[int, str, list[StoredChunk]]]:
    """Stored versions as they go into the index: row id, title, chunks."""
    found: list[tuple[int, str, list[StoredChunk]]] = []
    for document in documents:
        title = select(Document.title).where(Document.id == document)
        query = select(Chunk.id, Chunk.document, Chunk.path, Chunk.text)
        rows = await connection.execute(query.where(Chunk.document == document).order_by(Chunk.id))
        name = (await connection.execute(title)).scalar_one()
        found.append((document, name, [StoredChunk(*row) for row in rows]))
    return found


async def unfinished(connection: AsyncConnection, kb: str) -> list[int]:
    """Versions that a killed writer left pending."""
    rows = await connection.execute(
        select(Document.id).where(Document.kb == kb, Document.state == PENDING)
    )
    return [row.id for row in rows]


async def forget(connection: AsyncConnection, documents: Sequence[int]) -> None:
    """Delete pending versions, their clauses and chunks."""
    for table in (AskedRow, Chunk, ClauseRow):
        await connection.execute(delete(table).where(table.document.in_(documents)))
    await connection.execute(delete(Document).where(Document.id.in_(documents)))


async def set_state(connection: AsyncConnection, documents: Sequence[int], state: str) -> None:
    """Move versions to `state`."""
    await connection.execute(update(Document).where(Document.id.in_(documents)).values(state=state))


async def live_spans(connection: AsyncConnection, kb: str) -> list[Span]:
    """The validity of every live document."""
    rows = await connection.execute(
        select(
            Document.id,
            Document.title,
            Document.effective_from,
            Document.effective_to,
            Document.status,
            Document.region,
        ).where(Document.kb == kb, Document.state == LIVE)
    )
    return [Span(*row) for row in rows]


async def set_span(connection: AsyncConnection, span: Span) -> None:
    """Write a document's changed validity."""
    await connection.execute(
        update(Document)
        .where(Document.id == span.document)
        .values(effective_to=span.effective_to, status=span.status)
    )


async def publish(
    connection: AsyncConnection,
    kb: str,
    opstamp: int,
    segments: Sequence[str],
    asked_segments: Sequence[str] | None = None,
) -> None:
    """Name the committed full text and the vector segments as the state to read.

    `asked_segments` hold the asked questions; None keeps those of the state before.
    """
    if asked_segments is None:
        last = select(Generation.asked_segments).where(Generation.kb == kb)
        row = (await connection.execute(last.order_by(Generation.id.desc()).limit(1))).first()
        asked_segments = list(row[0]) if row else []
    live = select(func.count()).select_from(Chunk).join(Document, Chunk.document == Document.id)
    live = live.where(Chunk.kb == kb, Document.state == LIVE)
    chunks = (await connection.execute(live)).scalar_one()
    embedded = (await connection.execute(live.where(Chunk.embedded))).scalar_one()
    await connection.execute(
        insert(Generation).values(
            kb=kb,
            opstamp=opstamp,
            segments=list(segments),
            asked_segments=list(asked_segments),
            chunks=chunks,
            embedded=embedded,
        )
    )


async def without_vectors(connection: AsyncConnection, kb: str, limit: int) -> list[StoredChunk]:
    """Live chunks that have no vector yet, oldest first."""
    rows = await connection.execute(
        select(Chunk.id, Chunk.document, Chunk.path, Chunk.text)
        .join(Document, Chunk.document == Document.id)
        .where(Chunk.kb == kb, Document.state == LIVE, Chunk.embedded.is_(False))
        .order_by(Chunk.id)
        .limit(limit)
    )
    return [StoredChunk(*row) for row in rows]


async def set_embedded(connection: AsyncConnection, chunks: Sequence[int]) -> None:
    """Note that the chunks have vectors now."""
    await connection.execute(update(Chunk).where(Chunk.id.in_(chunks)).values(embedded=True))


async def forget_vectors(connection: AsyncConnection, kb: str) -> None:
    """Note that no chunk of `kb` has a vector any more."""
    await connection.execute(update(Chunk).where(Chunk.kb == kb).values(embedded=False))


def check(draft: DocumentDraft, clauses: Sequence[Clause]) -> None:
    """Whether everything fits its column: PostgreSQL refuses what SQLite would take.

    Raises:
        BadDocument: a value is too long; the message names it.
    """
    for name, value in vars(draft).items():
        limit = getattr(Document.__table__.c[name].type, "length", None)
        if limit is not None and value is not None and len(value) > limit:
            raise BadDocument(
                f"“{name}”长 {len(value)} 字，超过上限 {limit} 字（{value[:20]}…）；请改短后再导入"
            )
    longest = max((clause.id for clause in clauses), key=len, default="")
    if len(longest) > 120:
        raise BadDocument(f"条款层级过深（{longest[:40]}…）；请减少标题层级后重新导入")


def _clause_row(document: int, clause: Clause) -> dict[str, Any]:
    return {
        "document": document,
        "clause_id": clause.id,
        "parent": clause.parent,
        "position": clause.position,
        "level": clause.level,
        "label": clause.label[:200],
        "text": clause.text,
    }


def _chunk_row(kb: str, document: int, position: int, chunk: ChunkDraft) -> dict[str, Any]:
    return {
        "kb": kb,
        "document": document,
        "position": position,
        "clause_ids": list(chunk.clause_ids),
        "path": chunk.path[:1000],
        "text": chunk.text,
        "embedded": False,
    }


def _new_id(result: CursorResult[Any]) -> int:
    key = result.inserted_primary_key
    assert key is not None, "an insert of one row has a key"
    return int(key[0])
