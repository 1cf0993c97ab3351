"""An assistant never may more than its caller, its owner and itself."""

from hypothesis import given
from hypothesis import strategies as st

from zhengwu.gateway.assistants.rights import restricted
from zhengwu.gateway.governed.caller import Caller, Limit

NAMES = st.none() | st.frozensets(st.sampled_from(["chat", "reasoning", "embed", "closed"]))
GRADES = st.integers(1, 4)
LIMITS = st.lists(
    st.builds(Limit, st.just("key:k"), st.sampled_from(["concurrency", "budget_day"]), st.just(5))
).map(tuple)
CALLERS = st.builds(
    Caller,
    key_id=st.sampled_from(["a", "b"]),
    name=st.just("单位"),
    grade_ceiling=GRADES,
    models=NAMES,
    limits=LIMITS,
    pseudonymise=st.booleans(),
    keep_text=st.booleans(),
    undeclared_grade=GRADES,
    media_grade=GRADES,
)


def within(inner: frozenset[str] | None, outer: frozenset[str] | None) -> bool:
    return outer is None or (inner is not None and inner <= outer)


@given(CALLERS, CALLERS, st.integers(1, 3), st.none() | st.just("unit"))
def test_never_more_than_either(
    caller: Caller, owner: Caller, ceiling: int, shared_with: str | None
) -> None:
    quota = {"requests_per_minute": 7}
    rights = restricted(caller, owner, ceiling, "bz", shared_with, quota)  # pyright: ignore[reportArgumentType]
    assert rights.grade_ceiling == min(caller.grade_ceiling, owner.grade_ceiling, ceiling)
    assert within(rights.models, caller.models) and within(rights.models, owner.models)
    assert set(caller.limits) <= set(rights.limits)
    assert ("assistant:bz:unit" in {limit.scope for limit in rights.limits}) == bool(shared_with)
    assert not rights.pseudonymise or (caller.pseudonymise and owner.pseudonymise)
    assert not rights.keep_text or (caller.keep_text and owner.keep_text)
    for name in ("undeclared_grade", "media_grade"):
        assert getattr(rights, name) >= max(getattr(caller, name), getattr(owner, name))
    assert (rights.key_id, rights.priority) == (caller.key_id, caller.priority)
