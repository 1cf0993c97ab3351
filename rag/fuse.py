"""Join full text and vectors into one order that is never below its best part.

Full text leads; vectors move a chunk by how much nearer it is to the question than the candidates
are on the whole. Equal-weight fusion was measured to be worse than full text alone, so the weights
are those of `zhengwu eval retrieval` (docs/measurements.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zhengwu.rag.index.fulltext import TextHit

DOCUMENT_WEIGHT = 0.7
"""How much the score of the whole document counts beside its chunk's."""
VECTOR_WEIGHT = 0.3
"""What the nearest candidate gains over one at the median, as a share of the best text score."""
ASKED_WEIGHT = 2.0
"""What a chunk gains that answers the very question that was asked, as such a share."""
WRONG_REGION = 0.2
"""What a document about another region than the question names loses, as such a share."""


@dataclass(frozen=True)
class Scores:
    """The parts of one chunk's score, for `kb search --explain`."""

    chunk_bm25: float
    document_bm25: float
    cosine: float | None
    vector_part: float
    asked_part: float
    region_part: float
    total: float


def fuse(
    hits: Sequence[TextHit],
    cosines: Mapping[int, float],
    region: Mapping[int, float],
    asked: Mapping[int, float] | None = None,
) -> list[Scores]:
    """One score for each hit, in the order of `hits`.

    Args:
        hits: candidates of full text and vectors together.
        cosines: the cosine of each chunk that has a vector; a chunk without one is taken to lie
            at the median, so that vectors that are still filling in never push it down.
        region: by document, the share it gains or loses by the place that it is about.
        asked: by chunk, how like the question is to one that the chunk is known to answer, 0 to 1.
    """
    likeness = asked or {}
    best = max((hit.score(DOCUMENT_WEIGHT) for hit in hits), default=0.0) or 1.0
    scale = _Scale(best, *_spread(list(cosines.values())))
    return [
        _score(
            hit,
            cosines.get(hit.chunk),
            likeness.get(hit.chunk, 0.0),
            region.get(hit.document, 0.0),
            scale,
        )
        for hit in hits
    ]


@dataclass(frozen=True)
class _Scale:
    """The best text score, and the median and highest cosine, of all candidates."""

    best: float
    low: float
    high: float


def _score(
    hit: TextHit, cosine: float | None, likeness: float, place: float, scale: _Scale
) -> Scores:
    best, low, high = scale.best, scale.low, scale.high
    vector = 0.0
    if cosine is not None and high > low:
        # A lone outlier far below the median must not outweigh full text.
        vector = VECTOR_WEIGHT * best * max(-1.0, (cosine - low) / (high - low))
    asked = ASKED_WEIGHT * best * likeness
    region = place * best
    total = hit.score(DOCUMENT_WEIGHT) + vector + asked + region
    return Scores(hit.chunk_score, hit.document_score, cosine, vector, asked, region, total)


def _spread(cosines: Sequence[float]) -> tuple[float, float]:
    """The median and the highest cosine."""
    if not cosines:
        return 0.0, 0.0
    ordered = sorted(cosines)
    return ordered[len(ordered) // 2], ordered[-1]
