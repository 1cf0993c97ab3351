"""Who is next: citizens before staff before batch, tenants in turn, nobody lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhengwu.models.errors import DeadlinePassed, UpstreamBusy
from zhengwu.models.policies.fair_queue import Queued
from zhengwu.models.upstream import Call, Upstream

ONE = Upstream("甲", "http://127.0.0.1:9/v1", "m", slots=1)


@dataclass
class Turns:
    """Opens nothing; lets each call through and remembers the order and how many at once."""

    order: list[str] = field(default_factory=list[str])
    now: int = 0
    most: int = 0
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def open(self, upstream: Upstream, call: Call) -> AsyncGenerator[None]:
        self.order.append(call.affinity)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.hold.wait()
            yield None
        finally:
            self.now -= 1


def call(
    name: str,
    priority: int = 1,
    tenant: str = "",
    tokens: int = 1,
    deadline: float | None = None,
) -> Call:
    who = Call("x", b"", 1, tenant=tenant, priority=priority, affinity=name)
    return replace(who, tokens=tokens, deadline=deadline)


async def run(queue: Queued, one: Call, upstream: Upstream = ONE) -> None:
    async with queue.open(upstream, one):
        await asyncio.sleep(0)


async def line_up(queue: Queued, *calls: Call) -> list[asyncio.Task[None]]:
    tasks: list[asyncio.Task[None]] = []
    for one in calls:
        tasks.append(asyncio.create_task(run(queue, one)))
        await asyncio.sleep(0)
    return tasks


async def test_citizens_before_staff_before_batch() -> None:
    turns = Turns()
    queue = Queued(turns)  # pyright: ignore[reportArgumentType]
    tasks = await line_up(queue, call("first"), call("c", 2), call("b", 1), call("a", 0))
    assert queue.waiting == {"甲": 3}
    turns.hold.set()
    await asyncio.gather(*tasks)
    assert turns.order == ["first", "a", "b", "c"]
    assert turns.most == 1


async def test_a_tenant_with_many_calls_does_not_keep_others_waiting() -> None:
    turns = Turns()
    queue = Queued(turns)  # pyright: ignore[reportArgumentType]
    many = [call("many", tenant="甲局", tokens=1000) for _ in range(20)]
    few = [call("few", tenant="乙局", tokens=1000) for _ in range(3)]
    tasks = await line_up(queue, call("first"), *many, *few)
    turns.hold.set()
    await asyncio.gather(*tasks)
    assert [at for at, name in enumerate(turns.order) if name == "few"][-1] <= 7


async def test_shares_are_of_tokens_not_of_calls() -> None:
    turns = Turns()
    queue = Queued(turns)  # pyright: ignore[reportArgumentType]
    large = [call("large", tenant="甲局", tokens=4000) for _ in range(10)]
    small = [call("small", tenant="乙局", tokens=500) for _ in range(80)]
    tasks = await line_up(queue, call("first"), *large, *small)
    turns.hold.set()
    await asyncio.gather(*tasks)
    served = Counter(turns.order[1:46])
    assert abs(served["large"] * 4000 - served["small"] * 500) <= 4000 + 1000


async def test_a_full_line_sends_the_least_urgent_away() -> None:
    turns = Turns()
    queue = Queued(turns, most_waiting=2)  # pyright: ignore[reportArgumentType]
    tasks = await line_up(queue, call("first"), call("x", 2), call("y", 2))
    with pytest.raises(UpstreamBusy):
        await run(queue, call("z", 2))
    tasks += await line_up(queue, call("citizen", 0))
    turns.hold.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in done if each] == [UpstreamBusy]
    assert turns.order == ["first", "citizen", "x"]


async def test_a_deadline_passes_in_the_line() -> None:
    turns = Turns()
    queue = Queued(turns)  # pyright: ignore[reportArgumentType]
    tasks = await line_up(queue, call("first"))
    with pytest.raises(DeadlinePassed):
        await run(queue, call("late", deadline=monotonic() + 0.01))
    turns.hold.set()
    await asyncio.gather(*tasks)
    await run(queue, call("next"))
    assert turns.order == ["first", "next"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.sampled_from("甲乙丙"), st.integers(0, 50_000), st.booleans()
        ),
        max_size=25,
    ),
    st.integers(1, 3),
)
async def test_every_call_gets_its_turn_or_left(
    calls: list[tuple[int, str, int, bool]], slots: int
) -> None:
    """However callers come and go, no slot is lost and none is given twice."""
    turns = Turns()
    queue = Queued(turns)  # pyright: ignore[reportArgumentType]
    some = Upstream("甲", "http://127.0.0.1:9/v1", "m", slots=slots)
    tasks: list[asyncio.Task[None]] = []
    for at, (priority, tenant, tokens, leaves) in enumerate(calls):
        one = call(str(at), priority, tenant, tokens)
        tasks.append(asyncio.create_task(run(queue, one, some)))
        await asyncio.sleep(0)
        if leaves:
            tasks[at // 2].cancel()
    turns.hold.set()
    done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert all(each is None or isinstance(each, asyncio.CancelledError) for each in done)
    assert turns.most <= slots
    await asyncio.wait_for(asyncio.gather(*(run(queue, call("z"), some) for _ in range(5))), 5)
    assert turns.now == 0
