"""The vector half of the index: immutable FAISS segments, each written once and never changed.

A segment holds unit vectors under chunk ids; inner product is the cosine. Chunks that no longer
exist are dropped by the reader's caller. Knows no text and no database.
"""

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from zhengwu.rag.errors import BrokenIndex

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class VectorHit:
    """A chunk and its cosine to the query."""

    chunk: int
    cosine: float


def write_segment(folder: Path, chunks: Sequence[int], vectors: Vectors) -> str:
    """Write a segment of `vectors` (n, dimensions) and return its name.

    The file appears under its name only when it is whole, so a killed writer leaves no half one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
    index.add_with_ids(  # pyright: ignore[reportCallIssue]
        np.ascontiguousarray(vectors, dtype=np.float32), np.asarray(chunks, dtype=np.int64)
    )
    name = f"{uuid.uuid4().hex}.faiss"
    partial = folder / f".{name}"
    faiss.write_index(index, str(partial))
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.rename(folder / name)
    directory = os.open(folder, os.O_RDONLY)  # so that the name, too, survives a power cut
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return name


def merge_segments(folder: Path, names: Sequence[str], live: frozenset[int]) -> str:
    """Write one segment with the live chunks of several; the old files stay for their readers."""
    parts = [_rows(_read(folder, name)) for name in names]
    ids = np.concatenate([ids for ids, _ in parts])
    vectors = np.concatenate([rows for _, rows in parts])
    keep = np.fromiter((int(chunk) in live for chunk in ids), dtype=bool, count=len(ids))
    return write_segment(folder, ids[keep].tolist(), vectors[keep])


class VectorReader:
    """Some segments as one, memory-mapped and safe to search from several threads."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._segments = [_read(folder, name) for name in names]
        self._ids = [_ids(segment) for segment in self._segments]

    def __len__(self) -> int:
        """How many vectors there are."""
        return sum(int(segment.ntotal) for segment in self._segments)

    def search(self, query: Vectors, limit: int) -> list[VectorHit]:
        """The `limit` chunks nearest to `query` (dimensions,), best first."""
        hits: list[VectorHit] = []
        for segment in self._segments:
            cosines, chunks = segment.search(query.reshape(1, -1), limit)
            hits += [
                VectorHit(int(chunk), float(cosine))
                for chunk, cosine in zip(chunks[0], cosines[0], strict=True)
                if chunk >= 0
            ]
        return sorted(hits, key=lambda hit: -hit.cosine)[:limit]

    def cosines(self, query: Vectors, chunks: Sequence[int]) -> dict[int, float]:
        """The cosine of `query` to each of `chunks` that has a vector."""
        found: dict[int, float] = {}
        for segment, known in zip(self._segments, self._ids, strict=True):
            for chunk in set(chunks).intersection(known):
                vector = segment.reconstruct(int(chunk))
                found[chunk] = float(vector @ query)
        return found


def _read(folder: Path, name: str) -> faiss.IndexIDMap2:
    try:
        index = faiss.read_index(str(folder / name), faiss.IO_FLAG_MMAP)
    except RuntimeError as error:
        raise BrokenIndex(
            f"向量文件“{name}”缺失或损坏；请对该知识库重新执行 zhengwu kb ingest，索引会自动修复"
        ) from error
    assert isinstance(index, faiss.IndexIDMap2), "write_segment writes no other kind"
    return index


def _ids(segment: faiss.IndexIDMap2) -> set[int]:
    return set(faiss.vector_to_array(segment.id_map).tolist())


def _rows(segment: faiss.IndexIDMap2) -> tuple[npt.NDArray[np.int64], Vectors]:
    ids = faiss.vector_to_array(segment.id_map)
    flat = faiss.downcast_index(segment.index)
    return ids, np.asarray(flat.reconstruct_n(0, flat.ntotal), dtype=np.float32)
