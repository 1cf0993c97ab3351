"""Model calls of an evaluation, kept by model and input, so that a run resumes where it stopped.

A cache is a file beside the results; it is never used to answer people.
"""

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from zhengwu.rag.index.vectors import Vectors
from zhengwu.rag.knowledge import Embedder


class CallCache:
    """Bytes by key, on disk."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, value BLOB)")

    def get(self, key: str) -> bytes | None:
        """The value under `key`, or None."""
        row = self._db.execute("SELECT value FROM calls WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def put(self, key: str, value: bytes) -> None:
        """Keep `value` under `key`."""
        self._db.execute("INSERT OR REPLACE INTO calls VALUES (?, ?)", (key, value))

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def digest(*parts: str) -> str:
    """A key of some parts."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


class CachedEmbedder:
    """An embedder that asks the one it wraps only for what it was not asked before."""

    def __init__(self, inner: Embedder, model: str, cache: CallCache) -> None:
        self._inner = inner
        self._model = model
        self._cache = cache

    async def embed(self, texts: Sequence[str], input_type: Literal["query", "passage"]) -> Vectors:
        """Unit vectors (n, dimensions)."""
        keys = [digest(self._model, input_type, text) for text in texts]
        known = {key: self._cache.get(key) for key in keys}
        fresh = [(key, text) for key, text in zip(keys, texts, strict=True) if known[key] is None]
        if fresh:
            found = await self._inner.embed([text for _, text in fresh], input_type)
            vectors = np.asarray(found, dtype=np.float32)
            for (key, _), vector in zip(fresh, vectors, strict=True):
                known[key] = vector.tobytes()
                self._cache.put(key, vector.tobytes())
        rows = [np.frombuffer(known[key] or b"", dtype=np.float32) for key in keys]
        return np.stack(rows)
