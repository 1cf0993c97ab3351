"""Admission: so many at work, so many in line, and every place is given back."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.serving.errors import QueueFull
from zhengwu.serving.gate import Gate


async def hold(gate: Gate, seconds: float) -> str:
    try:
        async with gate.enter():
            assert gate.running <= gate.at_work
            await asyncio.sleep(seconds)
            return "done"
    except QueueFull as error:
        assert error.retry_after_s == 3
        return "full"


async def test_one_more_than_fits_is_refused_with_a_time_to_come_back() -> None:
    gate = Gate(2, 1, 3)
    results = await asyncio.gather(*(hold(gate, 0.02) for _ in range(5)))
    assert sorted(results) == ["done"] * 3 + ["full"] * 2
    assert (gate.running, gate.waiting) == (0, 0)


async def test_a_cancelled_waiter_gives_its_place_back() -> None:
    gate = Gate(1, 1, 3)
    first = asyncio.create_task(hold(gate, 0.05))
    second = asyncio.create_task(hold(gate, 0))
    await asyncio.sleep(0.01)
    assert (gate.running, gate.waiting) == (1, 1)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert gate.waiting == 0
    assert await hold(gate, 0) == "done"
    assert await first == "done"


@given(
    at_work=st.integers(1, 4),
    in_line=st.integers(0, 4),
    cancelled=st.lists(st.booleans(), min_size=1, max_size=16),
)
def test_nothing_is_lost_whatever_is_cancelled(
    at_work: int, in_line: int, cancelled: list[bool]
) -> None:
    async def scenario() -> None:
        gate = Gate(at_work, in_line, 3)
        tasks = [asyncio.create_task(hold(gate, 0)) for _ in cancelled]
        await asyncio.sleep(0)
        for task, stop in zip(tasks, cancelled, strict=True):
            if stop:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (gate.running, gate.waiting) == (0, 0)

    asyncio.run(scenario())
