"""Validity: on which day a document may be cited, and what a newer version does to it."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from zhengwu.rag.validity import (
    ENDING,
    IN_FORCE,
    NOT_YET,
    REPEALED,
    REVISED,
    SOON,
    Span,
    holds,
    status_on,
    supersede,
)

D = date(2024, 6, 1)
DAYS = st.dates(date(2000, 1, 1), date(2030, 12, 31))
SPANS = st.builds(
    Span,
    st.integers(1, 10**6),
    st.sampled_from(["甲法", "乙办法"]),
    st.none() | DAYS,
    st.none() | DAYS,
    st.sampled_from([IN_FORCE, REVISED, REPEALED]),
    st.sampled_from([None, "江苏省", "浙江省"]),
)


def law(
    number: int,
    start: date | None,
    end: date | None = None,
    status: str = IN_FORCE,
    region: str | None = None,
) -> Span:
    return Span(number, "甲法", start, end, status, region)


def settled(spans: list[Span]) -> dict[int, Span]:
    return {span.document: span for span in [*spans, *supersede(spans)]}


def test_a_term_has_a_first_and_a_last_day() -> None:
    span = law(1, date(2024, 1, 1), date(2024, 12, 31))
    day = timedelta(days=1)
    assert status_on(span, date(2024, 1, 1) - day) == NOT_YET
    assert status_on(span, date(2024, 1, 1)) == IN_FORCE
    assert status_on(span, date(2024, 12, 31) - SOON - day) == IN_FORCE
    assert status_on(span, date(2024, 12, 31) - SOON) == ENDING
    assert status_on(span, date(2024, 12, 31)) == ENDING
    assert status_on(span, date(2025, 1, 1)) == REPEALED
    assert [holds(span, d) for d in (date(2023, 12, 31), D, date(2025, 1, 1))] == [
        False,
        True,
        False,
    ]


def test_without_dates_it_holds_unless_it_says_otherwise() -> None:
    assert holds(law(1, None), D)
    for status in (REVISED, REPEALED):
        assert status_on(law(1, None, status=status), D) == status
        assert not holds(law(1, date(2000, 1, 1), status=status), D)


def test_a_newer_version_ends_the_older_the_day_before() -> None:
    spans = [law(1, date(2010, 1, 1)), law(2, date(2020, 1, 1))]
    (changed,) = supersede(spans)
    assert (changed.document, changed.effective_to) == (1, date(2019, 12, 31))
    assert status_on(changed, date(2019, 12, 31)) == IN_FORCE
    assert status_on(changed, date(2020, 1, 1)) == REVISED


def test_a_version_not_yet_in_force_leaves_the_older_one_valid() -> None:
    after = settled([law(1, date(2010, 1, 1)), law(2, date(2030, 1, 1))])
    assert holds(after[1], D) and not holds(after[2], D)
    assert not holds(after[1], date(2030, 1, 1)) and holds(after[2], date(2030, 1, 1))


def test_chains_whatever_the_order_of_arrival() -> None:
    first, second, third = (law(n, date(2000 + 10 * n, 1, 1)) for n in (0, 1, 2))
    for order in ([first, second, third], [third, first, second]):
        after = settled(order)
        assert after[0].effective_to == date(2009, 12, 31)
        assert after[1].effective_to == date(2019, 12, 31)
        assert after[2].effective_to is None
    late = settled([*settled([first, third]).values(), second])
    assert late[0].effective_to == date(2009, 12, 31), "a version between two shortens the first"


def test_two_of_the_same_day_both_give_way_to_a_later_one() -> None:
    after = settled([law(1, D), law(2, D), law(3, date(2025, 1, 1))])
    assert after[1].effective_to == after[2].effective_to == date(2024, 12, 31)
    assert not supersede([law(1, D), law(2, D)])


def test_a_term_that_ended_by_itself_is_not_made_longer() -> None:
    old = law(1, date(2019, 1, 1), date(2020, 12, 31))
    assert supersede([old, law(2, date(2024, 1, 1))]) == []


def test_a_neighbours_document_of_the_same_title_is_no_newer_version() -> None:
    assert not supersede(
        [law(1, date(2010, 1, 1), region="江苏省"), law(2, date(2020, 1, 1), region="浙江省")]
    )


def test_without_a_date_nothing_is_superseded() -> None:
    assert not supersede([law(1, None), law(2, date(2020, 1, 1))])


@given(st.lists(SPANS, max_size=8, unique_by=lambda span: span.document))
def test_superseding_again_changes_nothing(spans: list[Span]) -> None:
    after = list(settled(spans).values())
    assert supersede(after) == []


@given(st.lists(SPANS, max_size=8, unique_by=lambda span: span.document), DAYS)
def test_superseding_never_brings_anything_back(spans: list[Span], day: date) -> None:
    after = settled(spans)
    for span in spans:
        undated = span.status == REVISED and span.effective_to is None
        if holds(after[span.document], day) and not undated:  # the newer one tells its last day
            assert holds(span, day)


@given(
    st.lists(DAYS, min_size=1, max_size=6, unique=True),
    DAYS,
)
def test_on_any_day_one_version_at_most_holds(starts: list[date], day: date) -> None:
    after = settled([law(n, start) for n, start in enumerate(starts)])
    valid = [span for span in after.values() if holds(span, day)]
    assert len(valid) == (1 if day >= min(starts) else 0)
