"""Bring documents into a knowledge base: parse, cut into clauses, store, index, publish.

A batch is one transaction of meaning: the database holds it as pending until the full text is
committed and a generation row publishes it, so a killed writer loses nothing and shows nothing
half done. One broken file never stops a batch. Vectors fill in later (`fill.py`).
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.datasets.asked import AskedBank, asked_bank
from zhengwu.datasets.parse import FORMATS, Limits, ParsedDocument, parse
from zhengwu.db.engine import reader
from zhengwu.errors import ZhengwuError
from zhengwu.rag import asked_store as store_asked
from zhengwu.rag import store
from zhengwu.rag.asked import asked_of, digest_of
from zhengwu.rag.chunk import ChunkDraft, chunk
from zhengwu.rag.clause import Clause, build_clauses
from zhengwu.rag.describe import describe
from zhengwu.rag.errors import BadName
from zhengwu.rag.index.asked import AskedWriter
from zhengwu.rag.index.fulltext import TextReader, TextWriter
from zhengwu.rag.index.generation import newest, write_lock
from zhengwu.rag.validity import supersede

log = logging.getLogger(__name__)

BATCH = 64
NAME = re.compile(r"[\w-]{1,64}")
Progress = Callable[[int, int, str], None]
"""Documents done, documents in all, the name of the last."""


@dataclass
class IngestReport:
    """What became of each file of a batch."""

    added: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    chunks: int = 0


@dataclass(frozen=True)
class Prepared:
    """A parsed document, ready to store."""

    draft: store.DocumentDraft
    clauses: tuple[Clause, ...]
    chunks: tuple[ChunkDraft, ...]


class Ingestor:
    """Writes one knowledge store. Only one may write at a time, also across processes."""

    def __init__(
        self, engine: AsyncEngine, folder: Path, limits: Limits, bank: AskedBank | None = None
    ) -> None:
        """`bank`: questions over national law; the one that ships where none is given."""
        self._engine = engine
        self._folder = folder
        self._limits = limits
        self._bank = asked_bank() if bank is None else bank

    async def ingest(
        self, kb: str, paths: Sequence[Path], progress: Progress, wait_s: float = 0.5
    ) -> IngestReport:
        """Ingest files, and folders with all that is in them.

        Raises:
            BadName: no knowledge base can have that name.
            WriterBusy: another process is writing.
        """
        if not NAME.fullmatch(kb):
            raise BadName(f"知识库名“{kb}”无效：只能用字母、数字、汉字、“_”和“-”，不超过 64 字")
        report = IngestReport()
        files = list(find_files(paths))
        lock = await asyncio.to_thread(write_lock, self._folder, wait_s)
        try:
            await self._recover(kb)
            done = 0
            seen: set[str] = set()
            for start in range(0, len(files), BATCH):
                names = files[start : start + BATCH]
                prepared = [p async for p in self._prepare(kb, names, seen, report)]
                if prepared:
                    await self._write(kb, prepared, report)
                done += len(names)
                progress(done, len(files), names[-1][1])
            await self._settle(kb)
            await self._attach_asked(kb)
        finally:
            lock.release()
        return report

    async def _prepare(
        self, kb: str, names: Sequence[tuple[Path, str]], seen: set[str], report: IngestReport
    ) -> AsyncIterator[Prepared]:
        async with self._engine.connect() as connection:
            digests = await store.current_digests(connection, kb)
        for path, name in names:
            try:
                prepared = await asyncio.to_thread(prepare, path, name, self._limits)
            except ZhengwuError as error:
                report.failed[str(path)] = str(error)
                continue
            except Exception as error:
                log.exception("cannot read %s", path)
                reason = f"读取时发生内部错误 {type(error).__name__}，详见日志；请联系运维"
                report.failed[str(path)] = reason
                continue
            doc_id = prepared.draft.doc_id
            if doc_id in seen:
                report.failed[str(path)] = f"同一批里已有编号为“{doc_id}”的文件，请改名后重新导入"
                continue
            seen.add(doc_id)
            if digests.get(doc_id) == prepared.draft.digest:
                report.unchanged.append(doc_id)
            else:
                (report.replaced if doc_id in digests else report.added).append(doc_id)
                yield prepared

    async def _write(self, kb: str, batch: Sequence[Prepared], report: IngestReport) -> None:
        fresh: list[tuple[int, str, list[store.StoredChunk]]] = []
        async with self._engine.begin() as connection:
            for item in batch:
                document, chunks = await store.add_document(
                    connection, kb, item.draft, item.clauses, item.chunks
                )
                fresh.append((document, item.draft.title, chunks))
                report.chunks += len(chunks)
            documents = [document for document, _, _ in fresh]
            old = await store.replaced_by(connection, kb, documents)
        opstamp = await asyncio.to_thread(self._index, kb, fresh, ())
        async with self._engine.begin() as connection:
            await store.set_state(connection, old, store.HISTORY)
            await store.set_state(connection, documents, store.LIVE)
            before = await newest(connection, kb)
            await store.publish(connection, kb, opstamp, before.segments if before else ())
        if old:  # only now: until the new versions are published the old ones are searched
            await asyncio.to_thread(self._index, kb, (), old)

    def _index(
        self, kb: str, fresh: Sequence[tuple[int, str, list[store.StoredChunk]]], old: Sequence[int]
    ) -> int:
        writer = TextWriter(self._folder / kb)
        try:
            for document, title, chunks in fresh:
                writer.add(document, title, [(c.id, c.path, c.text) for c in chunks])
            writer.remove(old)
            return writer.commit()
        finally:
            writer.close()

    async def _recover(self, kb: str) -> None:
        """Make the index hold exactly the live documents again, whatever a killed writer left.

        What is pending is undone: its files are simply ingested again.
        """
        async with reader(self._engine).connect() as connection:
            pending = await store.unfinished(connection, kb)
            live = await store.live_documents(connection, kb)
            published = await newest(connection, kb)
            indexed = await asyncio.to_thread(_indexed, self._folder / kb)
            lost = await store.chunks_of(connection, sorted(live - indexed))
        extra = sorted({*pending, *(indexed - live)})
        if lost or extra:
            opstamp = await asyncio.to_thread(self._index, kb, lost, extra)
        else:
            opstamp = published.opstamp if published else 0
        segments = published.segments if published else ()
        vectors = self._folder / kb / "vectors"
        broken = not all((vectors / name).is_file() for name in segments)
        asked = published.asked_segments if published else ()
        broken_asked = not all((vectors / name).is_file() for name in asked)
        async with self._engine.begin() as connection:
            await store.forget(connection, pending)
            if broken:
                await store.forget_vectors(connection, kb)
            if broken_asked:
                await store_asked.forget_asked_vectors(connection, kb)
            if published and (lost or broken or broken_asked):
                kept = () if broken else segments
                await store.publish(connection, kb, opstamp, kept, () if broken_asked else asked)

    async def _settle(self, kb: str) -> None:
        """Let newer versions of a title supersede older ones, and publish that."""
        async with self._engine.begin() as connection:
            changed = supersede(await store.live_spans(connection, kb))
            for span in changed:
                await store.set_span(connection, span)
            before = await newest(connection, kb)
            if changed and before:
                await store.publish(connection, kb, before.opstamp, before.segments)

    async def _attach_asked(self, kb: str) -> None:
        """Index the questions that live documents answer, where they are new or have changed.

        Killed in between, a document keeps its old digest and is simply done again.
        """
        async with reader(self._engine).connect() as connection:
            known = await store_asked.askable(connection, kb)
        wanted = {doc.id: digest_of(doc.title, doc.version, self._bank) for doc in known}
        changed = [doc for doc in known if doc.digest != wanted[doc.id]]
        if not changed:
            return
        fresh: dict[int, list[tuple[int, str]]] = {}
        async with self._engine.begin() as connection:
            for doc in changed:
                clauses = await store_asked.labelled(connection, doc.id)
                asked = asked_of(clauses, doc.title, doc.version, self._bank)
                fresh[doc.id] = await store_asked.replace_asked(connection, kb, doc.id, asked)
        await asyncio.to_thread(self._index_asked, kb, fresh)
        async with self._engine.begin() as connection:
            for doc in changed:
                await store_asked.set_asked_digest(connection, doc.id, wanted[doc.id])
            before = await newest(connection, kb)
            if before:
                await store.publish(connection, kb, before.opstamp, before.segments)

    def _index_asked(self, kb: str, fresh: Mapping[int, Sequence[tuple[int, str]]]) -> None:
        writer = AskedWriter(self._folder / kb)
        try:
            for document, asked in fresh.items():
                writer.replace(document, asked)
            writer.commit()
        finally:
            writer.close()


def find_files(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Each file to ingest and its name: relative to the folder given, or the file's own."""
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file() and file.suffix.lower() in FORMATS and file.name[0] != ".":
                    yield file, str(file.relative_to(path))
        else:
            yield path, path.name


def prepare(path: Path, name: str, limits: Limits) -> Prepared:
    """Parse one file and cut it; nothing is stored.

    Raises:
        ZhengwuError: the file cannot be read; the message says why and what to do.
    """
    parsed: ParsedDocument = parse(path, limits)
    clauses = build_clauses(parsed)
    draft = describe(parsed, clauses, name)
    store.check(draft, clauses)
    return Prepared(draft, clauses, tuple(chunk(clauses, draft.title)))


def _indexed(folder: Path) -> set[int]:
    return TextReader(folder).documents()
