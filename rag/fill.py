"""Fill in vectors behind the text: one small batch a step, never while an answer streams.

A step takes the write lock only to publish, so an ingestion is not held up. Knows no engine;
`busy` tells whether a person is waiting for the model.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.engine import reader
from zhengwu.db.tables import Chunk, Document, Generation
from zhengwu.rag import asked_store as store_asked
from zhengwu.rag import store
from zhengwu.rag.index.generation import newest, prune, write_lock
from zhengwu.rag.index.vectors import Vectors, merge_segments, write_segment
from zhengwu.rag.knowledge import Embedder

STEP = 8
PUBLISH = 256
MAX_SEGMENTS = 12

InputType = Literal["query", "passage"]
Busy = Callable[[], Awaitable[bool]]


class Filler:
    """Embeds live chunks that have no vector yet."""

    def __init__(self, engine: AsyncEngine, folder: Path, embedder: Embedder, busy: Busy) -> None:
        self._engine = engine
        self._folder = folder
        self._embedder = embedder
        self._busy = busy

    async def step(self) -> bool:
        """Embed and publish up to `PUBLISH` chunks; False when there was nothing to do."""
        for kb in await self._kbs():
            async with reader(self._engine).connect() as connection:
                asked = await store_asked.asked_without_vectors(connection, kb, PUBLISH)
            if asked:  # first: they are short, and each leads to a clause
                await self._fill_asked(kb, asked)
                return True
            async with reader(self._engine).connect() as connection:
                waiting = await store.without_vectors(connection, kb, PUBLISH)
            if waiting:
                await self._fill(kb, waiting)
                return True
        return False

    async def _kbs(self) -> list[str]:
        async with reader(self._engine).connect() as connection:
            rows = await connection.execute(select(Generation.kb).distinct())
            return sorted(str(row[0]) for row in rows)

    async def _fill(self, kb: str, waiting: Sequence[store.StoredChunk]) -> None:
        vectors = await self._embed([passage(c.path, c.text) for c in waiting], "passage")
        lock = await asyncio.to_thread(write_lock, self._folder, 600)
        try:
            await self._publish(kb, [c.id for c in waiting], vectors)
        finally:
            lock.release()

    async def _fill_asked(self, kb: str, waiting: Sequence[tuple[int, str]]) -> None:
        # A question is compared with questions, so it is embedded as one.
        vectors = await self._embed([text for _, text in waiting], "query")
        lock = await asyncio.to_thread(write_lock, self._folder, 600)
        try:
            await self._publish_asked(kb, [name for name, _ in waiting], vectors)
        finally:
            lock.release()

    async def _embed(
        self, texts: Sequence[str], input_type: Literal["query", "passage"]
    ) -> Vectors:
        parts: list[Vectors] = []
        for start in range(0, len(texts), STEP):
            while await self._busy():
                await asyncio.sleep(0.5)
            parts.append(await self._embedder.embed(texts[start : start + STEP], input_type))
        return np.concatenate(parts)

    async def _publish_asked(self, kb: str, asked: Sequence[int], vectors: Vectors) -> None:
        folder = self._folder / kb / "vectors"
        name = await asyncio.to_thread(write_segment, folder, asked, vectors)
        async with reader(self._engine).connect() as connection:
            before = await newest(connection, kb)
            known = frozenset(one.id for one in await store_asked.live_asked(connection, kb))
        segments = [*(before.asked_segments if before else ()), name]
        if len(segments) > MAX_SEGMENTS:
            segments = [await asyncio.to_thread(merge_segments, folder, segments, known)]
        async with self._engine.begin() as connection:
            await store_asked.set_asked_embedded(connection, asked)
            opstamp, kept = (before.opstamp, before.segments) if before else (0, ())
            await store.publish(connection, kb, opstamp, kept, segments)
            unnamed = await prune(connection, kb, folder)
        for path in unnamed:
            path.unlink(missing_ok=True)

    async def _publish(self, kb: str, chunks: Sequence[int], vectors: Vectors) -> None:
        folder = self._folder / kb / "vectors"
        name = await asyncio.to_thread(write_segment, folder, chunks, vectors)
        async with reader(self._engine).connect() as connection:
            before = await newest(connection, kb)
            live = await connection.execute(
                select(Chunk.id)
                .join(Document, Chunk.document == Document.id)
                .where(Chunk.kb == kb, Document.state == store.LIVE)
            )
            known = frozenset(row.id for row in live)
        segments = [*(before.segments if before else ()), name]
        if len(segments) > MAX_SEGMENTS:
            segments = [await asyncio.to_thread(merge_segments, folder, segments, known)]
        async with self._engine.begin() as connection:
            await store.set_embedded(connection, chunks)
            await store.publish(connection, kb, before.opstamp if before else 0, segments)
            unnamed = await prune(connection, kb, folder)
        for path in unnamed:
            path.unlink(missing_ok=True)


def passage(path: str, text: str) -> str:
    """What is embedded of a chunk: the last steps of its path, then its text."""
    return f"{path[-60:]} {text}"
