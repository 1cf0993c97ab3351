"""Which stored questions are nearest to what was asked, and the chunks that answer them.

Likeness is measured twice: by shared terms, the rarer the more, and by the cosine of the two
questions' vectors. Blocking, like all reading of an index. Knows no database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from zhengwu.rag.asked_store import StoredAsked
from zhengwu.rag.index.asked import AskedReader
from zhengwu.rag.index.vectors import VectorReader, Vectors
from zhengwu.rag.text.query import weigh_query
from zhengwu.rag.text.segment import query_terms

NEAREST = 40
COSINE_LOW, COSINE_HIGH = 0.90, 0.96
"""Cosines of the embedding model between questions of different and of the same meaning."""
SHARED_HIGH = 0.5
"""The share of terms from which two questions are taken for the same."""
COSINE_SHARE = 0.5
"""What the cosine counts in the likeness of two questions; shared terms count the rest."""


@dataclass(frozen=True)
class AskedMatch:
    """The stored question nearest to what was asked, of those that one chunk answers.

    Attributes:
        similarity: From 0 to 1.
        shared: The share of both questions' terms, by rarity, that both have.
        cosine: Of their vectors; None where there is none yet.
    """

    text: str
    clause_id: str
    similarity: float
    shared: float
    cosine: float | None


class AskedIndex:
    """The asked questions of one published state."""

    def __init__(
        self, reader: AskedReader, vectors: VectorReader, asked: Sequence[StoredAsked]
    ) -> None:
        self._reader = reader
        self._vectors = vectors
        self._asked: Mapping[int, StoredAsked] = {one.id: one for one in asked}
        self._rarity = lru_cache(maxsize=50_000)(reader.rarity)

    def nearest(self, text: str, vector: Vectors | None) -> dict[int, AskedMatch]:
        """The best match of each chunk that answers a question like `text`, by chunk id."""
        if not self._asked:
            return {}
        names = [hit.asked for hit in self._reader.search(weigh_query(text), NEAREST)]
        cosines: dict[int, float] = {}
        if vector is not None and len(self._vectors):
            near = self._vectors.search(vector, NEAREST)
            cosines = {hit.chunk: hit.cosine for hit in near}
            missing = [name for name in names if name not in cosines]
            cosines |= self._vectors.cosines(vector, missing)
        terms = frozenset(query_terms(text))
        best: dict[int, AskedMatch] = {}
        for name in {*names, *cosines}:
            stored = self._asked.get(name)
            if stored is None:
                continue  # of a document that has gone since
            match = self._match(stored, terms, cosines.get(name))
            if stored.chunk not in best or match.similarity > best[stored.chunk].similarity:
                best[stored.chunk] = match
        return best

    def documents_of(self, chunks: Sequence[int]) -> dict[int, int]:
        """The document of each of `chunks` that answers a stored question."""
        wanted = set(chunks)
        return {one.chunk: one.document for one in self._asked.values() if one.chunk in wanted}

    def _match(
        self, stored: StoredAsked, terms: frozenset[str], cosine: float | None
    ) -> AskedMatch:
        shared = self._shared(terms, frozenset(query_terms(stored.text)))
        return AskedMatch(
            stored.text, stored.clause_id, likeness(shared, cosine), round(shared, 4), cosine
        )

    def _shared(self, one: frozenset[str], other: frozenset[str]) -> float:
        """Dice's coefficient of two questions' terms, each term weighed by its rarity."""
        total = sum(self._rarity(term) for term in one) + sum(self._rarity(term) for term in other)
        return 2 * sum(self._rarity(term) for term in one & other) / total if total else 0.0


def likeness(shared: float, cosine: float | None) -> float:
    """Both measures as one, from 0 to 1; without a vector the terms alone."""
    alike = min(1.0, shared / SHARED_HIGH)
    if cosine is None:
        return alike
    near = min(1.0, max(0.0, (cosine - COSINE_LOW) / (COSINE_HIGH - COSINE_LOW)))
    return COSINE_SHARE * near + (1 - COSINE_SHARE) * alike
