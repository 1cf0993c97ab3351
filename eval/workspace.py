"""A knowledge base of an evaluation's documents, built by the product's own ingestion.

The documents become files first, so that parsing and cutting are measured too.
"""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.datasets.parse import Limits
from zhengwu.db.engine import open_database
from zhengwu.db.migrate import migrate
from zhengwu.eval.cases import Doc
from zhengwu.eval.errors import EvalError
from zhengwu.rag.fill import Filler
from zhengwu.rag.ingest import Ingestor
from zhengwu.rag.knowledge import Embedder, Knowledge

KB = "eval"
LINE = 60


@dataclass(frozen=True)
class Workspace:
    """The knowledge base and how it was built."""

    engine: AsyncEngine
    folder: Path
    embedder: Embedder | None
    knowledge: Knowledge
    chunks: int
    index_seconds: float
    embed_seconds: float


@asynccontextmanager
async def workspace(
    docs: Sequence[Doc], distractors: Path | None, embedder: Embedder | None
) -> AsyncGenerator[Workspace]:
    """Build the knowledge base in a temporary folder, and remove it afterwards."""
    with TemporaryDirectory(prefix="zhengwu-eval-") as name:
        home = Path(name)
        write_docs(docs, home / "docs")
        engine = open_database(f"sqlite+aiosqlite:///{home / 'eval.db'}")
        try:
            await migrate(engine)
            started = time.monotonic()
            paths = [home / "docs", *([distractors] if distractors else [])]
            ingestor = Ingestor(engine, home / "knowledge", Limits())
            report = await ingestor.ingest(KB, paths, lambda done, total, last: None)
            if len(report.added) < len(docs):
                raise EvalError(f"有 {len(report.failed)} 个评测文件未能入库：{report.failed}")
            indexed = time.monotonic()
            if embedder:
                filler = Filler(engine, home / "knowledge", embedder, _never)
                while await filler.step():
                    pass
            embedded = time.monotonic()
            folder = home / "knowledge"
            yield Workspace(
                engine=engine,
                folder=folder,
                embedder=embedder,
                knowledge=Knowledge(engine, folder, embedder),
                chunks=report.chunks,
                index_seconds=round(indexed - started, 2),
                embed_seconds=round(embedded - indexed, 2),
            )
        finally:
            await engine.dispose()


def write_docs(docs: Sequence[Doc], folder: Path) -> None:
    """One text file a document, named by its id; a title becomes the first line."""
    folder.mkdir(parents=True)
    for doc in docs:
        # One short line alone would be taken for a title of nothing.
        title = doc.title or (doc.text if len(doc.text) <= LINE and "\n" not in doc.text else "")
        text = f"{title}\n\n{doc.text}" if title else doc.text
        (folder / f"{doc.docid}.txt").write_text(text, encoding="utf-8")


async def _never() -> bool:
    return False
