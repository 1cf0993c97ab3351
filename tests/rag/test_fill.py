"""Vectors fill in behind the text, pause for people, and merge without the dead."""

import asyncio
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.rag.shelf import HashEmbedder, ingest, vector, write

from zhengwu.errors import OutboundError
from zhengwu.rag import fill as module
from zhengwu.rag.fill import STEP, Filler, passage
from zhengwu.rag.index.generation import newest, write_lock
from zhengwu.rag.index.vectors import VectorReader, Vectors
from zhengwu.rag.knowledge import Knowledge, KnowledgeBase
from zhengwu.rag.snapshot import Request

DAY = date(2026, 6, 1)


async def never() -> bool:
    return False


async def fill_all(filler: Filler) -> int:
    steps = 0
    while await filler.step():
        steps += 1
    return steps


async def held(engine: AsyncEngine, store: Path, kb: str = "k") -> KnowledgeBase:
    return next(found for found in await Knowledge(engine, store).kbs() if found.name == kb)


async def segments(engine: AsyncEngine) -> tuple[str, ...]:
    async with engine.connect() as connection:
        published = await newest(connection, "k")
    assert published is not None
    return published.segments


async def test_what_is_embedded_is_published(engine: AsyncEngine, tmp_path: Path) -> None:
    store, embedder = tmp_path / "store", HashEmbedder()
    for n in range(3):
        write(tmp_path / "in", f"{n}.md", f"第{n}号指南", f"灯塔{n}号的说明。")
    await ingest(engine, store, tmp_path / "in")
    await ingest(engine, store, tmp_path / "in", kb="other")
    before = await held(engine, store)
    assert (before.documents, before.embedded) == (3, 0)
    filler = Filler(engine, store, embedder, never)
    assert await fill_all(filler) == 2, "one step for each knowledge base"
    for kb in ("k", "other"):
        after = await held(engine, store, kb)
        assert after.embedded == after.chunks == before.chunks
    assert embedder.embedded == 2 * before.chunks
    assert await filler.step() is False
    assert embedder.embedded == 2 * before.chunks, "nothing is embedded twice"


async def test_vectors_are_those_of_the_passages(engine: AsyncEngine, tmp_path: Path) -> None:
    store = tmp_path / "store"
    await ingest(engine, store, write(tmp_path, "a.md", "生育津贴指南", "女职工可以申领生育津贴。"))
    await fill_all(Filler(engine, store, HashEmbedder(), never))
    (hit,) = await Knowledge(engine, store, HashEmbedder()).search("k", Request("津贴", DAY))
    reader = VectorReader(store / "k" / "vectors", await segments(engine))
    expected = vector(passage(hit.path, hit.text))
    assert reader.cosines(expected, [hit.chunk])[hit.chunk] == pytest.approx(1.0, abs=1e-5)


def test_a_passage_ends_its_path() -> None:
    assert passage("法 › 章 › 第一条", "内容") == "法 › 章 › 第一条 内容"
    assert len(passage("长" * 500, "内容")) == 63


async def test_it_pauses_while_a_person_waits(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STEP", 1)
    busy, embedder = asyncio.Event(), HashEmbedder()
    for n in range(3):
        write(tmp_path / "in", f"{n}.md", f"第{n}号", f"灯塔{n}")
    await ingest(engine, tmp_path / "store", tmp_path / "in")

    class Watched(HashEmbedder):
        async def embed(
            self, texts: Sequence[str], input_type: Literal["query", "passage"]
        ) -> Vectors:
            embedder.embedded += len(texts)
            busy.set()
            return await super().embed(texts, input_type)

    async def is_busy() -> bool:
        return busy.is_set()

    filler = Filler(engine, tmp_path / "store", Watched(), is_busy)
    filling = asyncio.create_task(filler.step())
    await asyncio.sleep(0.8)
    assert embedder.embedded == 1, "one batch went before the person came"
    for _ in range(2):
        busy.clear()
        await asyncio.sleep(0.7)
    busy.clear()
    async with asyncio.timeout(10):
        await filling
    assert (await held(engine, tmp_path / "store")).embedded == 3


async def test_an_ingestion_is_not_held_up_by_embedding(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    store, embedding, go_on = tmp_path / "store", asyncio.Event(), asyncio.Event()

    class Slow(HashEmbedder):
        async def embed(
            self, texts: Sequence[str], input_type: Literal["query", "passage"]
        ) -> Vectors:
            embedding.set()
            await go_on.wait()
            return await super().embed(texts, input_type)

    await ingest(engine, store, write(tmp_path, "a.md", "甲", "灯塔旧"))
    filler = Filler(engine, store, Slow(), never)
    filling = asyncio.create_task(filler.step())
    await embedding.wait()
    report = await ingest(engine, store, write(tmp_path, "a.md", "甲", "灯塔新"))
    assert report.replaced == ["a"]
    go_on.set()
    await filling
    # What was embedded belongs to history by now: it is neither shown nor counted.
    assert (await held(engine, store)).embedded == 0
    knowledge = Knowledge(engine, store, HashEmbedder())
    hits = await knowledge.search("k", Request("灯塔", DAY))
    assert ["灯塔新" in hit.text for hit in hits] == [True]
    await fill_all(filler)
    assert (await held(engine, store)).embedded == 1


async def test_many_segments_become_one_without_the_dead(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_SEGMENTS", 3)
    store = tmp_path / "store"
    filler = Filler(engine, store, HashEmbedder(), never)
    for n in range(4):
        await ingest(engine, store, write(tmp_path, "same.md", "同一文件", f"灯塔第{n}稿"))
        await fill_all(filler)
    names = await segments(engine)
    assert len(names) == 1
    reader = VectorReader(store / "k" / "vectors", names)
    assert len(reader) == 1, "three drafts are history"
    (hit,) = await Knowledge(engine, store, HashEmbedder()).search("k", Request("灯塔", DAY))
    assert "第3稿" in hit.text and hit.scores.cosine is not None


async def test_a_large_document_takes_several_steps(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PUBLISH", 10)
    articles = "\n\n".join(f"第{n}条 " + f"灯塔{n}的规定如下。" * 40 for n in range(1, 26))
    await ingest(engine, tmp_path / "store", write(tmp_path, "a.md", "大条例", articles))
    chunks = (await held(engine, tmp_path / "store")).chunks
    assert chunks >= 25
    embedder = HashEmbedder()
    filler = Filler(engine, tmp_path / "store", embedder, never)
    assert await filler.step()
    assert (await held(engine, tmp_path / "store")).embedded == 10
    assert await fill_all(filler) == -(-(chunks - 10) // 10)
    assert embedder.embedded == chunks
    assert STEP < 10


async def test_a_failing_engine_loses_nothing(engine: AsyncEngine, tmp_path: Path) -> None:
    class Down(HashEmbedder):
        async def embed(
            self, texts: Sequence[str], input_type: Literal["query", "passage"]
        ) -> Vectors:
            raise OutboundError("引擎未就绪")

    store = tmp_path / "store"
    await ingest(engine, store, write(tmp_path, "a.md", "甲", "灯塔"))
    with pytest.raises(OutboundError):
        await Filler(engine, store, Down(), never).step()
    write_lock(store, 1).release()
    await fill_all(Filler(engine, store, HashEmbedder(), never))
    assert (await held(engine, store)).embedded == 1
    write_lock(store, 1).release()


async def test_nothing_to_fill(engine: AsyncEngine, tmp_path: Path) -> None:
    assert await Filler(engine, tmp_path / "store", HashEmbedder(), never).step() is False
