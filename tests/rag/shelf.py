"""Documents to put on a shelf, and a small deterministic embedder, for tests of knowledge."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.datasets.parse import Limits
from zhengwu.rag.index.vectors import Vectors
from zhengwu.rag.ingest import Ingestor, IngestReport
from zhengwu.rag.text.segment import terms

DIMENSIONS = 64


class HashEmbedder:
    """A bag of hashed terms as a unit vector: the same words lie near each other."""

    def __init__(self) -> None:
        self.embedded = 0

    async def embed(self, texts: Sequence[str], input_type: Literal["query", "passage"]) -> Vectors:
        self.embedded += len(texts)
        return np.stack([vector(text) for text in texts])


def vector(text: str) -> Vectors:
    found = np.full(DIMENSIONS, 1e-3, dtype=np.float32)
    for term in terms(text):
        digest = hashlib.sha256(term.encode()).digest()
        found[digest[0] % DIMENSIONS] += 1.0 if digest[1] % 2 else -1.0
    return (found / np.linalg.norm(found)).astype(np.float32)


def write(folder: Path, name: str, title: str, body: str, **meta: object) -> Path:
    """A Markdown document with front matter."""
    head = "".join(f"{key}: {value}\n" for key, value in meta.items())
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"---\ntitle: {title}\n{head}---\n# {title}\n\n{body}\n", encoding="utf-8")
    return path


def quiet(done: int, total: int, last: str) -> None:
    """Progress that nobody looks at."""


async def ingest(engine: AsyncEngine, store: Path, *paths: Path, kb: str = "k") -> IngestReport:
    return await Ingestor(engine, store, Limits()).ingest(kb, paths, quiet)
