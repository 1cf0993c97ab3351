"""The reader's side of all knowledge bases: search, open a clause, list what there is.

Opens the newest published generation and keeps it until a newer one is there. Knows nothing of
questions being answered; grades and permissions of callers come from its callers.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, Protocol

from sqlalchemy import Row, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from zhengwu.db.engine import reader
from zhengwu.db.tables import Chunk, ClauseRow, Document, Generation
from zhengwu.models.errors import ModelError
from zhengwu.rag.asked_index import AskedIndex, AskedMatch
from zhengwu.rag.asked_store import live_asked
from zhengwu.rag.errors import UnknownClause, UnknownKnowledgeBase, UnknownRegion
from zhengwu.rag.fuse import Scores
from zhengwu.rag.index.asked import AskedReader
from zhengwu.rag.index.fulltext import TextReader
from zhengwu.rag.index.generation import Published, newest
from zhengwu.rag.index.vectors import VectorReader, Vectors
from zhengwu.rag.snapshot import DocumentInfo, Ranked, Request, Snapshot
from zhengwu.rag.store import HISTORY, LIVE
from zhengwu.rag.validity import Span, status_on

NEIGHBOURS = 2
EMBED_S = 0.4
"""How long a search waits for the question's vector before it goes on without one."""

log = logging.getLogger(__name__)


class Embedder(Protocol):
    """Turns texts into unit vectors (n, dimensions)."""

    async def embed(self, texts: Sequence[str], input_type: Literal["query", "passage"]) -> Vectors:
        """One vector a text."""
        ...


@dataclass(frozen=True)
class Hit:
    """A chunk that was found, with its text and its document."""

    chunk: int
    document: DocumentInfo
    status: str
    clause_ids: tuple[str, ...]
    path: str
    text: str
    scores: Scores
    asked: AskedMatch | None = None
    """The stored question nearest to what was asked, of those the chunk answers."""


@dataclass(frozen=True)
class KnowledgeBase:
    """What a knowledge base holds, and how far its vectors are."""

    name: str
    documents: int
    chunks: int
    embedded: int


@dataclass(frozen=True)
class ClauseText:
    """One clause's own words."""

    clause_id: str
    label: str
    text: str


@dataclass(frozen=True)
class StoredClause:
    """One node of a stored clause tree."""

    clause_id: str
    parent: str | None
    level: str
    label: str
    text: str


@dataclass(frozen=True)
class OpenClause:
    """A clause as a citation opens it, with its neighbours."""

    doc_id: str
    title: str
    clause_id: str
    label: str
    path: str
    text: str
    organ: str | None
    document_number: str | None
    region: str | None
    status: str
    issued: date | None
    effective_from: date | None
    effective_to: date | None
    before: tuple[ClauseText, ...]
    after: tuple[ClauseText, ...]


class Knowledge:
    """All knowledge bases of one store."""

    def __init__(self, engine: AsyncEngine, folder: Path, embedder: Embedder | None = None) -> None:
        self._engine = reader(engine)
        self._folder = folder
        self._embedder = embedder
        self._open: dict[str, Snapshot] = {}
        self._opening = asyncio.Lock()

    async def kbs(self) -> list[KnowledgeBase]:
        """Every knowledge base."""
        last = select(func.max(Generation.id)).group_by(Generation.kb)
        documents = select(Document.kb, func.count().label("n")).where(Document.state == LIVE)
        async with self._engine.connect() as connection:
            counts = {r.kb: r.n for r in await connection.execute(documents.group_by(Document.kb))}
            rows = await connection.execute(
                select(Generation.__table__).where(Generation.id.in_(last)).order_by(Generation.kb)
            )
            return [
                KnowledgeBase(row.kb, counts.get(row.kb, 0), row.chunks, row.embedded)
                for row in rows
            ]

    async def regions(self, kb: str) -> list[str]:
        """The regions that documents of `kb` state, as paths."""
        return (await self.snapshot(kb)).stated_regions

    async def weigh(self, kb: str, terms: Mapping[str, float]) -> dict[str, float]:
        """How much each weighted term tells: the rarer among documents, the more."""
        snapshot = await self.snapshot(kb)
        return await asyncio.to_thread(snapshot.weigh, terms)

    async def search(self, kb: str, request: Request, use_vectors: bool = True) -> list[Hit]:
        """The best chunks for a request.

        Raises:
            UnknownKnowledgeBase: there is none of that name.
            UnknownRegion: `request.region` is neither of the gazetteer nor of the documents.
        """
        snapshot = await self.snapshot(kb)
        if request.region is not None and not snapshot.regions.knows(request.region):
            known = "、".join(snapshot.stated_regions) or "全国各省、市"
            raise UnknownRegion(f"没有地区“{request.region}”；可用：{known}")
        query = await self._vector(request.text) if use_vectors else None
        ranked = await asyncio.to_thread(snapshot.search, request, query)
        async with self._engine.connect() as connection:
            return await _read_hits(connection, ranked)

    async def clauses(self, hit: Hit) -> list[StoredClause]:
        """The clauses of a hit and all below them, in reading order."""
        below = [ClauseRow.clause_id.startswith(f"{name}.") for name in hit.clause_ids]
        query = _clause_columns().where(
            ClauseRow.document == hit.document.id,
            or_(ClauseRow.clause_id.in_(hit.clause_ids), *below),
        )
        async with self._engine.connect() as connection:
            rows = await connection.execute(query.order_by(ClauseRow.position))
            return [StoredClause(*row) for row in rows]

    async def clause(self, kb: str, doc_id: str, clause_id: str) -> OpenClause:
        """Open one clause of the newest version of a document.

        Raises:
            UnknownClause: the document or the clause is not there.
        """
        async with self._engine.connect() as connection:
            info = (await connection.execute(_newest_version(kb, doc_id))).first()
            if info is None:
                raise UnknownClause(f"知识库“{kb}”里没有文件“{doc_id}”；请检查编号")
            rows = await connection.execute(
                select(ClauseRow.__table__)
                .where(ClauseRow.document == info.id)
                .order_by(ClauseRow.position)
            )
            return _open_clause(_info(info), list(rows), clause_id)

    async def outline(self, kb: str, doc_id: str) -> list[StoredClause]:
        """Every clause of the newest version of a document, in reading order.

        Raises:
            UnknownClause: the document is not there.
        """
        async with self._engine.connect() as connection:
            info = (await connection.execute(_newest_version(kb, doc_id))).first()
            if info is None:
                raise UnknownClause(f"知识库“{kb}”里没有文件“{doc_id}”；请检查编号")
            query = _clause_columns().where(ClauseRow.document == info.id)
            rows = await connection.execute(query.order_by(ClauseRow.position))
            return [StoredClause(*row) for row in rows]

    async def snapshot(self, kb: str) -> Snapshot:
        """The newest published state of `kb`, opened once."""
        async with self._engine.connect() as connection:
            published = await newest(connection, kb)
        if published is None:
            names = "、".join(found.name for found in await self.kbs()) or "（还没有）"
            raise UnknownKnowledgeBase(
                f"没有知识库“{kb}”；现有：{names}。可用 zhengwu kb ingest 路径 --kb {kb} 建立"
            )
        opened = self._open.get(kb)
        if opened and opened.generation == published.id:
            return opened
        async with self._opening:
            opened = self._open.get(kb)
            if opened is None or opened.generation < published.id:
                opened = self._open[kb] = await self._read(published)
        return opened

    async def _read(self, published: Published) -> Snapshot:
        query = select(Document.__table__).where(
            Document.kb == published.kb, Document.state == LIVE
        )
        async with self._engine.connect() as connection:
            documents = {row.id: _info(row) for row in await connection.execute(query)}
            asked = await live_asked(connection, published.kb)
        folder = self._folder / published.kb

        def build() -> Snapshot:
            vectors = VectorReader(folder / "vectors", published.segments)
            questions = VectorReader(folder / "vectors", published.asked_segments)
            known = AskedIndex(AskedReader(folder), questions, asked)
            return Snapshot(published.id, TextReader(folder), vectors, documents, known)

        return await asyncio.to_thread(build)

    async def _vector(self, text: str) -> Vectors | None:
        if self._embedder is None:
            return None
        try:
            async with asyncio.timeout(EMBED_S):
                return (await self._embedder.embed([text], "query"))[0]
        except (ModelError, TimeoutError) as error:
            # Vectors only add to full text: a pool that is busy or down must not stop a search.
            log.warning("no vector for a query: %s", error or "timeout")
            return None


async def _read_hits(connection: AsyncConnection, ranked: Sequence[Ranked]) -> list[Hit]:
    query = select(Chunk.__table__).where(Chunk.id.in_([r.chunk for r in ranked]))
    rows = {row.id: row for row in await connection.execute(query)}
    return [
        Hit(
            chunk=r.chunk,
            document=r.document,
            status=r.status,
            clause_ids=tuple(row.clause_ids),
            path=row.path,
            text=row.text,
            scores=r.scores,
            asked=r.asked,
        )
        for r in ranked
        if (row := rows.get(r.chunk)) is not None
    ]


def _clause_columns() -> Select[str, str | None, str, str, str]:
    row = ClauseRow
    return select(row.clause_id, row.parent, row.level, row.label, row.text)


def _newest_version(kb: str, doc_id: str) -> Select[Any]:
    return (
        select(Document.__table__)
        .where(Document.kb == kb, Document.doc_id == doc_id, Document.state.in_((LIVE, HISTORY)))
        .order_by(Document.version.desc())
        .limit(1)
    )


def _info(row: Row[Any]) -> DocumentInfo:
    span = Span(row.id, row.title, row.effective_from, row.effective_to, row.status)
    named = tuple(row.meta.get("named_regions", ()))
    return DocumentInfo(
        id=row.id,
        doc_id=row.doc_id,
        title=row.title,
        kind=row.kind,
        organ=row.organ,
        document_number=row.document_number,
        region=row.region,
        named_regions=named,
        issued=row.issued,
        span=span,
        grade=row.grade,
    )


def _open_clause(info: DocumentInfo, rows: Sequence[Row[Any]], clause_id: str) -> OpenClause:
    by_id: Mapping[str, Row[Any]] = {row.clause_id: row for row in rows}
    if clause_id not in by_id:
        raise UnknownClause(f"文件“{info.title}”里没有条款“{clause_id}”；请检查编号")
    wanted = by_id[clause_id]
    siblings = [row for row in rows if row.level == wanted.level]
    at = siblings.index(wanted)
    return OpenClause(
        doc_id=info.doc_id,
        title=info.title,
        clause_id=clause_id,
        label=wanted.label,
        path=" › ".join([info.title, *_ancestors(by_id, wanted), wanted.label]),
        text=wanted.text,
        organ=info.organ,
        document_number=info.document_number,
        region=info.region,
        status=status_on(info.span, date.today()),
        issued=info.issued,
        effective_from=info.span.effective_from,
        effective_to=info.span.effective_to,
        before=tuple(_clause_text(row) for row in siblings[max(0, at - NEIGHBOURS) : at]),
        after=tuple(_clause_text(row) for row in siblings[at + 1 : at + 1 + NEIGHBOURS]),
    )


def _ancestors(by_id: Mapping[str, Row[Any]], row: Row[Any]) -> list[str]:
    labels: list[str] = []
    parent = row.parent
    while parent and parent in by_id:
        labels.insert(0, by_id[parent].label)
        parent = by_id[parent].parent
    return labels


def _clause_text(row: Row[Any]) -> ClauseText:
    return ClauseText(row.clause_id, row.label, row.text)
