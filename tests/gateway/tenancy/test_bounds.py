"""Which of two bounds is tighter: a meet that is associative, commutative and idempotent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.gateway.tenancy.bounds import (
    LIMIT_KINDS,
    UNBOUNDED,
    Bounds,
    check_fits,
    check_values,
    limits_on,
    meet,
    narrow,
    parse_limits,
)
from zhengwu.gateway.tenancy.errors import BadValue, BoundsExceeded

BOUNDS = st.builds(
    Bounds,
    grade_ceiling=st.none() | st.integers(1, 3),
    models=st.none() | st.frozensets(st.sampled_from("abc")),
    limits=st.dictionaries(st.sampled_from(LIMIT_KINDS), st.integers(0, 9)),
    priority=st.none() | st.integers(0, 2),
    undeclared_grade=st.none() | st.integers(1, 4),
    media_grade=st.none() | st.integers(1, 4),
    pseudonymise=st.none() | st.booleans(),
    keep_text=st.none() | st.booleans(),
)


@given(BOUNDS, BOUNDS, BOUNDS)
def test_meet_is_a_meet(a: Bounds, b: Bounds, c: Bounds) -> None:
    assert meet(a, b) == meet(b, a)
    assert meet(a, meet(b, c)) == meet(meet(a, b), c)
    assert meet(a, a) == a == meet(a, UNBOUNDED)


@given(BOUNDS, st.lists(BOUNDS, max_size=5))
def test_a_child_that_fits_loses_nothing_it_says(child: Bounds, path: list[Bounds]) -> None:
    above = narrow(path)
    try:
        check_fits(child, above)
    except BoundsExceeded:
        return
    found = meet(above, child)
    for name in ("grade_ceiling", "models", "priority", "undeclared_grade", "media_grade"):
        said = getattr(child, name)
        assert said is None or said == getattr(found, name)
    assert all(found.limits[kind] == amount for kind, amount in child.limits.items())


@given(BOUNDS, st.lists(BOUNDS, max_size=5))
def test_whatever_is_written_nothing_below_has_more_than_above(
    child: Bounds, path: list[Bounds]
) -> None:
    above, found = narrow(path), narrow([*path, child])
    assert meet(found, above) == found
    limits = limits_on([(f"t{n}", step) for n, step in enumerate([*path, child])])
    lowest: dict[str, int] = {}
    for limit in limits:
        assert limit.amount <= lowest.get(limit.kind, limit.amount)
        lowest[limit.kind] = limit.amount
    assert lowest == dict(found.limits)


def test_the_message_names_the_field_the_value_and_the_remedy() -> None:
    child = Bounds(3, frozenset({"x"}), {"concurrency": 9})
    with pytest.raises(BoundsExceeded, match=r"（上级为2）.*（上级为chat）.*concurrency 9"):
        check_fits(child, Bounds(2, frozenset({"chat"}), {"concurrency": 4}))


@pytest.mark.parametrize(
    "wrong",
    [
        Bounds(grade_ceiling=0),
        Bounds(grade_ceiling=4),
        Bounds(priority=3),
        Bounds(undeclared_grade=5),
        Bounds(media_grade=0),
        Bounds(limits={"concurrency": -1}),
        Bounds(limits={"concurrency": 10**16}),
        Bounds(limits={"tea": 1}),  # pyright: ignore[reportArgumentType]
        Bounds(models=frozenset({""})),
        Bounds(models=frozenset(map(str, range(501)))),
    ],
)
def test_values_that_no_rule_allows(wrong: Bounds) -> None:
    with pytest.raises(BadValue):
        check_values(wrong)


@pytest.mark.parametrize("text", ["tea=1", "concurrency", "concurrency=-1", "concurrency=²"])
def test_limits_on_a_command_line(text: str) -> None:
    assert parse_limits(2, ["chat"], ["concurrency=4"]).limits == {"concurrency": 4}
    with pytest.raises(BadValue):
        parse_limits(None, None, [text])
