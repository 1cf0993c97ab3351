"""Rows of documents: versions, states, and what does not fit."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.tables import Chunk, ClauseRow, Document
from zhengwu.rag import store
from zhengwu.rag.chunk import ChunkDraft
from zhengwu.rag.clause import Clause
from zhengwu.rag.errors import BadDocument
from zhengwu.rag.validity import IN_FORCE, REVISED, Span

DRAFT = store.DocumentDraft(
    doc_id="d1",
    title="住房公积金提取办法",
    digest="0" * 64,
    source="d1.md",
    kind="办法",
    organ=None,
    document_number="示政发〔2024〕1号",
    region="示范省/示范市",
    status=IN_FORCE,
    issued=None,
    effective_from=date(2024, 1, 1),
    effective_to=None,
    grade=1,
    meta={"named_regions": []},
)
CLAUSES = tuple(
    Clause(f"a{n}", None, n - 1, "条", f"第{n}条", f"内容{n}", (f"第{n}条",)) for n in (1, 2)
)
CHUNKS = tuple(ChunkDraft((c.id,), f"办法 › {c.label}", c.text) for c in CLAUSES)


async def test_versions_count_up_and_ids_follow_the_order(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        first, chunks = await store.add_document(connection, "k", DRAFT, CLAUSES, CHUNKS)
        assert [c.text for c in chunks] == ["内容1", "内容2"]
        rows = await connection.execute(select(Chunk.id, Chunk.text).order_by(Chunk.id))
        assert [tuple(row) for row in rows] == [(c.id, c.text) for c in chunks]
        assert await store.current_digests(connection, "k") == {}, "pending is not live"
        await store.set_state(connection, [first], store.LIVE)
        second, _ = await store.add_document(connection, "k", DRAFT, CLAUSES, CHUNKS)
        other, _ = await store.add_document(connection, "other", DRAFT, (), ())
        assert await store.replaced_by(connection, "k", [second]) == [first]
        assert await store.replaced_by(connection, "other", [other]) == []
        assert await store.unfinished(connection, "k") == [second]
        assert await store.live_documents(connection, "k") == {first}
        versions = await connection.execute(select(Document.version).order_by(Document.id))
        assert [row.version for row in versions] == [1, 2, 1]
        ((row, title, again),) = await store.chunks_of(connection, [first])
        assert (row, title, again) == (first, DRAFT.title, chunks)


async def test_forgetting_takes_everything_of_a_version(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        kept, _ = await store.add_document(connection, "k", DRAFT, CLAUSES, CHUNKS)
        gone, _ = await store.add_document(connection, "k", DRAFT, CLAUSES, CHUNKS)
        await store.forget(connection, [gone])
        await store.forget(connection, [])
        for table in (Chunk, ClauseRow):
            count = select(func.count()).select_from(table).where(table.document == kept)
            assert (await connection.execute(count)).scalar_one() == 2
            assert (await connection.execute(select(func.count()).select_from(table))).scalar() == 2


async def test_spans_are_read_and_written(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        document, _ = await store.add_document(connection, "k", DRAFT, (), ())
        assert await store.live_spans(connection, "k") == []
        await store.set_state(connection, [document], store.LIVE)
        (span,) = await store.live_spans(connection, "k")
        assert span == Span(
            document, DRAFT.title, date(2024, 1, 1), None, IN_FORCE, "示范省/示范市"
        )
        await store.set_span(
            connection, replace(span, effective_to=date(2025, 1, 1), status=REVISED)
        )
        (changed,) = await store.live_spans(connection, "k")
        assert (changed.effective_to, changed.status) == (date(2025, 1, 1), REVISED)


async def test_what_waits_for_vectors(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        document, chunks = await store.add_document(connection, "k", DRAFT, CLAUSES, CHUNKS)
        assert await store.without_vectors(connection, "k", 9) == [], "pending waits"
        await store.set_state(connection, [document], store.LIVE)
        assert await store.without_vectors(connection, "k", 1) == chunks[:1]
        await store.set_embedded(connection, [chunks[0].id])
        assert await store.without_vectors(connection, "k", 9) == chunks[1:]
        await store.forget_vectors(connection, "k")
        assert await store.without_vectors(connection, "k", 9) == chunks


@pytest.mark.parametrize(
    ("field", "length"),
    [("doc_id", 129), ("title", 501), ("organ", 201), ("document_number", 101), ("region", 101)],
)
def test_what_postgresql_would_refuse_is_refused_everywhere(field: str, length: int) -> None:
    store.check(replace(DRAFT, **{field: "长" * (length - 1)}), CLAUSES)
    with pytest.raises(BadDocument, match=rf"“{field}”长 {length} 字"):
        store.check(replace(DRAFT, **{field: "长" * length}), CLAUSES)


def test_clauses_nested_too_deeply_are_refused() -> None:
    with pytest.raises(BadDocument, match="层级过深"):
        store.check(DRAFT, [replace(CLAUSES[0], id="h" + ".1" * 70)])
