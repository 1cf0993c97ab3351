"""What holds of the router whatever the upstreams do (hypothesis), and each of its policies."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from typing import cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhengwu.models.addresses import PoolAddresses
from zhengwu.models.assemble import assemble
from zhengwu.models.cards import Price
from zhengwu.models.clearance import address_of, decide
from zhengwu.models.errors import ModelError, UpstreamCut, UpstreamDown
from zhengwu.models.policies.budget import RetryBudget
from zhengwu.models.policies.load import Loads
from zhengwu.models.policies.orders import ORDERS, OrderName, PrefixAffine
from zhengwu.models.route import Hedge, Route
from zhengwu.models.shape import shaped
from zhengwu.models.upstream import Call, Upstream

DELTA = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
BEHAVIOURS: Mapping[str, tuple[int, tuple[bytes, ...]]] = {
    "ok": (200, (DELTA, b"data: [DONE]\n\n")),
    "cut": (200, (DELTA,)),
    "empty": (200, ()),
    "busy": (503, (b"{}",)),
    "limited": (429, (b'{"error":{"message":"slow"}}',)),
    "rejects": (401, (b'{"error":{"message":"key"}}',)),
    "overflow": (400, (b'{"error":{"code":"context_length_exceeded"}}',)),
    "bad": (400, (b'{"error":{"message":"bad schema"}}',)),
    "down": (0, ()),
    "slow": (200, (DELTA, b"data: [DONE]\n\n")),
}


@dataclass(frozen=True)
class Reply:
    """An answer out of memory."""

    status: int
    blocks: tuple[bytes, ...]
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    async def chunks(self) -> AsyncIterator[bytes]:
        for block in self.blocks:
            yield block
        if not self.blocks:
            raise UpstreamCut("cut")


@dataclass
class Fake:
    """Connects to nothing, decides the grade as the egress does, and remembers who was asked."""

    behaviours: Mapping[str, str]
    asked: list[str] = field(default_factory=list[str])
    running: int = 0

    @asynccontextmanager
    async def open(self, upstream: Upstream, call: Call) -> AsyncGenerator[Reply]:
        url = address_of(upstream, call.path)
        assert orjson.loads(call.body)["model"] == upstream.model
        if decide(call.grade, url, upstream, PoolAddresses(["10.0.0.0/8"])) == "outside":
            assert call.grade == 1
        self.asked.append(upstream.name)
        behaviour = self.behaviours[upstream.name]
        if behaviour == "down":
            raise UpstreamDown("down")
        self.running += 1
        try:
            if behaviour == "held":
                await asyncio.Event().wait()
            await asyncio.sleep(0.004 if behaviour == "slow" else 0)
            status, blocks = BEHAVIOURS[behaviour]
            yield Reply(status, blocks)
        finally:
            self.running -= 1


def up(name: str, pooled: bool = True, **given: object) -> Upstream:
    host = "http://10.0.0.1" if pooled else "https://198.51.100.7"
    return Upstream(name, f"{host}/{name}", f"{name}-m", **given)  # pyright: ignore


def call(grade: int = 1, **terms: object) -> Call:
    return Call("chat/completions", b'{"model":"chat"}', grade, True, **terms)  # pyright: ignore


UPSTREAMS = st.lists(
    st.tuples(
        st.sampled_from("甲乙丙丁戊"),
        st.sampled_from(sorted(BEHAVIOURS)),
        st.booleans(),
        st.sampled_from([None, 1000, 8000]),
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=150, deadline=None)
@given(
    main=UPSTREAMS,
    other=UPSTREAMS,
    order=st.sampled_from(sorted(ORDERS)),
    grade=st.integers(1, 4),
    tokens=st.sampled_from([0, 500, 5000]),
    hedged=st.booleans(),
    most=st.sampled_from([0.0, 1.0, 20.0]),
    calls=st.integers(1, 4),
)
async def test_whatever_the_upstreams_do(
    main: list[tuple[str, str, bool, int | None]],
    other: list[tuple[str, str, bool, int | None]],
    order: OrderName,
    grade: int,
    tokens: int,
    hedged: bool,
    most: float,
    calls: int,
) -> None:
    """Never twice the same, no grade widened, the trace whole, the budget kept."""
    pooled = {name: where for name, _, where, _ in main + other}
    behaviours = {name: what for name, what, _, _ in main + other}
    loads, fake = Loads(), Fake(behaviours)
    budgets = [RetryBudget(0.2, most), RetryBudget(0.2, most)]

    def route(index: int, given: list[tuple[str, str, bool, int | None]]) -> Route:
        ups = {n: up(n, pooled[n], context_tokens=context) for n, _, _, context in given}
        ends = (("other",), ("other",)) if index == 0 else ((), ())
        hedge = Hedge(0.001, 10_000) if hedged else None
        orders = ORDERS[order](loads)
        return Route(tuple(ups.values()), orders, budget=budgets[index], fallbacks=ends[0],
                     overflow=ends[1], hedge=hedge)  # fmt: skip

    routing = assemble({"chat": route(0, main), "other": route(1, other)}, fake, loads)
    sent = 0
    for _ in range(calls):
        fake.asked.clear()
        one = call(grade, tokens=tokens, affinity="a")
        whole = failed = False
        with suppress(ModelError):
            failed = True
            async with routing.routes.open("chat", one) as reply:
                blocks = [block async for block in reply.chunks()]
                whole = reply.status == 200 and blocks[-1] == b"data: [DONE]\n\n"
                failed = reply.status >= 400
        tried = [a for a in one.attempts.all if a.outcome != "context_overflow" or a.upstream in
                 fake.asked]  # fmt: skip
        names = [a.upstream for a in tried if a.outcome != "retry_budget"]
        assert len(fake.asked) == len(set(fake.asked)), "the same upstream was asked twice"
        assert set(fake.asked) <= set(names), "an upstream was asked that is not in the trace"
        assert all(a.outcome != "open" for a in one.attempts.all)
        answered = [a for a in one.attempts.all if a.outcome == "ok"]
        assert bool(answered) == whole, "a success in the trace is one for the reader"
        assert not (whole and failed)
        for name in fake.asked:
            assert grade <= 3 and (pooled[name] or grade == 1), "a grade was widened"
        sent += max(len(fake.asked) - 1, 0)
    earned = sum(budget.most + 0.2 * 3 * calls for budget in budgets)
    assert sent <= earned, "more second tries than the budget has"
    assert fake.running == 0, "a connection was left open"
    assert all(loads.of(up(n, pooled[n])).tokens == 0 for n in behaviours)


@given(st.lists(st.booleans(), max_size=200), st.floats(0, 1), st.floats(0, 20))
def test_a_budget_is_never_exceeded(spends: list[bool], share: float, most: float) -> None:
    budget, spent, earned = RetryBudget(share, most), 0, most
    for spend in spends:
        if spend:
            spent += budget.spend()
        else:
            budget.earn()
            earned += share
        assert 0 <= budget.left <= most
        assert spent <= earned + 1e-6


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9) | st.just("model"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["model", "messages", 'a"model":', "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["model", "messages", "tools", "\\"]), JSON, max_size=4),
       st.booleans(), st.booleans())  # fmt: skip
def test_only_the_models_name_changes(fields: dict[str, object], spaced: bool, known: bool) -> None:
    """Spliced or written anew, the body says the same but for its top-level model."""
    body = orjson.dumps(fields, option=orjson.OPT_INDENT_2 if spaced else None)
    given_fields = fields if known else None
    sent = shaped(Call("chat/completions", body, 1, fields=given_fields), up("甲"))
    assert orjson.loads(sent.body) == {**fields, "model": "甲-m"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"mod\\u0065l": "x", "tools": [{"model": "y"}]}',
        b'{"model": "x", "model": "y"}',
        b'{"messages": [{"content": "say \\"model\\": \\"z\\""}], "model" : "x"}',
        b'{"messages": [{"content": "\\"model"}], "x": {"model": "y"}}',
    ],
)
def test_a_name_that_hides_is_found(body: bytes) -> None:
    sent = orjson.loads(shaped(Call("chat/completions", body, 1), up("甲")).body)
    assert sent == {**orjson.loads(body), "model": "甲-m"}


def loaded(loads: Loads, **tokens: int) -> list[Upstream]:
    ups = [up(name) for name in tokens]
    for each in ups:
        loads.of(each).tokens = tokens[each.name]
    return ups


def first(order: OrderName, loads: Loads, ups: list[Upstream]) -> str:
    return ORDERS[order](loads).order(ups, call())[0].name


def test_orders() -> None:
    loads = Loads()
    ups = loaded(loads, 甲=500, 乙=10, 丙=90)
    assert first("listed", loads, ups) == "甲"
    assert first("least_loaded", loads, ups) == "乙"
    loads.of(ups[0]).first_byte_s, loads.of(ups[1]).first_byte_s = 0.1, 0.4
    loads.of(ups[2]).first_byte_s = 0.2
    assert first("latency", loads, ups) == "甲"
    dear = Price(input=9, output=9, as_of=date(2026, 1, 1))
    cheap = Price(input=1, output=1, as_of=date(2026, 1, 1))
    priced = [up("贵", price=dear, key_env="K"), up("廉", price=cheap, key_env="K")]
    unknown = up("未知", key_env="K")
    assert first("cost", loads, [*priced, unknown]) == "廉"
    assert first("cost", loads, [*priced, unknown, ups[2]]) == "丙"  # the pool takes nothing
    small = up("甲", slots=1)
    loads.of(small).calls = 1
    assert first("listed", loads, [small, ups[1]]) == "乙"  # no room at the first


def test_prefix_affinity_spills_and_forgets() -> None:
    loads = Loads()
    ups = loaded(loads, 甲=0, 乙=0)
    order = PrefixAffine(loads, most=2)

    def home(key: str) -> str:
        return order.order(ups, call(affinity=key))[0].name

    assert home("a") == "甲"
    loads.of(ups[0]).tokens = 5_000
    assert home("a") == "甲"  # busier, but it remembers
    assert home("b") == "乙"
    loads.of(ups[0]).tokens = 50_000
    assert home("a") == "乙"  # far busier: the other learns it
    loads.of(ups[0]).tokens = 0
    assert home("a") == "乙"
    for key in "cdefg":
        home(key)
    assert len(order.went) == 2


async def test_a_hedge_keeps_the_quicker_answer_and_ends_the_other() -> None:
    fake = Fake({"慢": "held", "快": "ok"})
    route = Route((up("慢"), up("快")), hedge=Hedge(0.001, 100))
    routing = assemble({"chat": route}, fake)
    one = call(tokens=10)
    async with routing.routes.open("chat", one) as reply:
        assert [block async for block in reply.chunks()][-1] == b"data: [DONE]\n\n"
        assert fake.running == 1  # the slower one was ended
    assert [(a.upstream, a.outcome) for a in one.attempts.all] == [("慢", "left"), ("快", "ok")]
    assert cast(Upstream, one.attempts.answered).name == "快"
    fake.behaviours = {"慢": "slow", "快": "ok"}
    long = call(tokens=101)
    async with routing.routes.open("chat", long) as reply:
        assert [block async for block in reply.chunks()]
    assert [a.upstream for a in long.attempts.all] == ["慢"]
