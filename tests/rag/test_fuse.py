"""Fusion: full text leads, vectors help, and neither makes the other worse than it is."""

from hypothesis import given
from hypothesis import strategies as st

from zhengwu.rag.fuse import DOCUMENT_WEIGHT, VECTOR_WEIGHT, WRONG_REGION, fuse
from zhengwu.rag.index.fulltext import TextHit

SCORE = st.floats(0, 50).map(lambda x: round(x, 3))
COSINE = st.floats(-1, 1).map(lambda x: round(x, 3))


@st.composite
def hit_lists(draw: st.DrawFn) -> list[TextHit]:
    pairs = draw(st.lists(st.tuples(SCORE, SCORE), min_size=1, max_size=20))
    return [TextHit(n, n // 2, chunk, document) for n, (chunk, document) in enumerate(pairs)]


def order(hits: list[TextHit], cosines: dict[int, float]) -> list[int]:
    totals = [score.total for score in fuse(hits, cosines, {})]
    return sorted(range(len(hits)), key=lambda n: -totals[n])


def text_order(hits: list[TextHit]) -> list[int]:
    return sorted(range(len(hits)), key=lambda n: -hits[n].score(DOCUMENT_WEIGHT))


@given(hit_lists())
def test_without_vectors_the_order_is_full_texts(hits: list[TextHit]) -> None:
    assert order(hits, {}) == text_order(hits)


@given(hit_lists(), COSINE)
def test_where_all_cosines_are_equal_the_order_is_full_texts(
    hits: list[TextHit], cosine: float
) -> None:
    assert order(hits, {hit.chunk: cosine for hit in hits}) == text_order(hits)


@given(st.lists(COSINE, min_size=1, max_size=20), SCORE)
def test_where_all_texts_are_equal_nothing_is_nearer_than_the_first(
    cosines: list[float], score: float
) -> None:
    hits = [TextHit(n, n, score, 0.0) for n in range(len(cosines))]
    best = order(hits, dict(enumerate(cosines)))[0]
    middle = sorted(cosines)[len(cosines) // 2]
    assert cosines[best] == max(cosines) or max(cosines) == middle


@given(hit_lists(), st.data())
def test_more_of_one_part_never_ranks_lower(hits: list[TextHit], data: st.DataObject) -> None:
    cosines = {hit.chunk: data.draw(COSINE) for hit in hits}
    scores = fuse(hits, cosines, {})
    for one, first in zip(hits, scores, strict=True):
        for other, second in zip(hits, scores, strict=True):
            better_text = one.score(DOCUMENT_WEIGHT) >= other.score(DOCUMENT_WEIGHT)
            if better_text and cosines[one.chunk] >= cosines[other.chunk]:
                assert first.total >= second.total - 1e-9


@given(hit_lists(), st.data())
def test_vectors_move_a_chunk_by_a_bounded_share(hits: list[TextHit], data: st.DataObject) -> None:
    cosines = {hit.chunk: data.draw(COSINE) for hit in hits if data.draw(st.booleans())}
    best = max(hit.score(DOCUMENT_WEIGHT) for hit in hits) or 1.0
    for hit, score in zip(hits, fuse(hits, cosines, {}), strict=True):
        assert abs(score.vector_part) <= VECTOR_WEIGHT * best + 1e-9
        if hit.chunk not in cosines:
            assert score.vector_part == 0.0 and score.cosine is None


def test_one_outlier_does_not_bury_the_best_text() -> None:
    hits = [TextHit(0, 0, 30.0, 10.0), TextHit(1, 1, 2.0, 1.0), TextHit(2, 2, 1.0, 1.0)]
    assert order(hits, {0: 0.10, 1: 0.80, 2: 0.801})[0] == 0


@given(hit_lists(), st.data())
def test_another_region_costs_the_same_everywhere(hits: list[TextHit], data: st.DataObject) -> None:
    wrong = {hit.document: data.draw(st.sampled_from((0.0, -WRONG_REGION))) for hit in hits}
    best = max(hit.score(DOCUMENT_WEIGHT) for hit in hits) or 1.0
    plain, judged = fuse(hits, {}, {}), fuse(hits, {}, wrong)
    for hit, before, after in zip(hits, plain, judged, strict=True):
        assert after.region_part == wrong[hit.document] * best
        assert after.total == before.total + after.region_part


def test_nothing_gives_nothing() -> None:
    assert fuse([], {}, {}) == []
