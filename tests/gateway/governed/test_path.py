"""The governed path: every way out settles once and completes once, and tells the truth."""

import asyncio
from dataclasses import replace
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.governed.ground import (
    CALLER,
    DONE,
    STREAM,
    UPSTREAM,
    USAGE_EVENT,
    WHOLE,
    Counting,
    Ground,
    Listing,
    Scripted,
    asked,
    delta,
)

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.errors import BadBody, ModelNotAllowed, NotJson, SecretRefused
from zhengwu.gateway.governed.asked import Asked
from zhengwu.gateway.governed.path import STEPS
from zhengwu.gateway.governed.ports import Spent
from zhengwu.gateway.governed.service import SERVED_FOR, GovernedRoutes
from zhengwu.models.cards import Price
from zhengwu.models.client import ChatClient, EmbedClient
from zhengwu.models.errors import EgressRefused, UpstreamCut, UpstreamDown, UpstreamFailed
from zhengwu.models.wire import ChatRequest, Message

PRICE = Price(input=2, output=8, as_of=date(2026, 1, 1))


async def read(ground: Ground, request: Asked, most: int = 99) -> list[bytes]:
    got: list[bytes] = []
    async with ground.governed.open(request) as relayed:
        async for piece in relayed.chunks():
            got.append(piece)
            if len(got) >= most:
                break
    return got


def test_the_steps_in_their_order() -> None:
    names = [step.__name__ for step in STEPS]
    assert names == ["read", "resolve", "grade", "estimate_most", "reserve", "intend", "address"]


async def test_a_whole_answer_is_charged_as_the_upstream_counted() -> None:
    ground = Ground(Scripted([WHOLE[:9], WHOLE[9:]], upstream=replace(UPSTREAM, price=PRICE)))
    assert await read(ground, asked()) == [WHOLE]
    (outcome,), (intent,) = ground.trail.outcomes, ground.trail.intents
    assert (outcome.outcome, outcome.status, outcome.upstream) == ("done", 200, "m")
    assert outcome.spent == Spent(7, 3, 7 * 2 + 3 * 8)
    assert ground.limits.settled == [outcome.spent]
    assert outcome.output_digest and outcome.first_token_ms is not None
    assert (intent.model, intent.grade, intent.stream) == ("chat", 1, False)
    assert intent.reserved == ground.limits.asks[0]
    assert intent.reserved.cost >= outcome.spent.cost and intent.text is None


async def test_a_stream_is_asked_for_its_usage_and_the_client_is_spared_it() -> None:
    ground = Ground(Scripted(STREAM))
    got = b"".join(await read(ground, asked(stream=True)))
    assert got == b"".join((*STREAM[:3], DONE))
    sent = orjson.loads(ground.routes.calls[0].body)
    assert sent["stream_options"] == {"include_usage": True}
    assert ground.limits.settled == [Spent(7, 3, 0)]
    assert ground.trail.outcomes[0].outcome == "done"


async def test_a_client_that_asks_for_usage_gets_it() -> None:
    ground = Ground(Scripted(STREAM))
    request = asked(stream=True, stream_options={"include_usage": True})
    assert b"".join(await read(ground, request)) == b"".join(STREAM)
    assert ground.routes.calls[0].body == request.body


async def test_usage_beside_the_last_words_stays_where_it_is() -> None:
    last = delta("日", usage={"prompt_tokens": 5, "completion_tokens": 2})
    ground = Ground(Scripted([delta("十五"), last, DONE]))
    assert b"".join(await read(ground, asked(stream=True))) == delta("十五") + last + DONE
    assert ground.limits.settled == [Spent(5, 2, 0)]


async def test_a_stream_without_usage_is_counted_by_its_pieces() -> None:
    ground = Ground(Scripted([*STREAM[:3], DONE]))
    await read(ground, asked(stream=True))
    assert ground.limits.settled[0].output_tokens == 3
    assert ground.limits.settled[0].input_tokens == ground.limits.asks[0].input_tokens


async def test_a_cut_stream_is_never_done() -> None:
    for pieces in (STREAM[:2], (*STREAM[:2], UpstreamCut("断开")), (STREAM[0], b'data: {"cho')):
        ground = Ground(Scripted(pieces))
        with pytest.raises(UpstreamCut):
            await read(ground, asked(stream=True))
        (outcome,) = ground.trail.outcomes
        assert (outcome.outcome, outcome.code) == ("cut", "upstream_cut")
        assert outcome.spent.output_tokens >= 1


async def test_an_error_in_the_stream_is_no_success() -> None:
    failed = b'data: {"error":{"message":"engine died"}}\n\n'
    ground = Ground(Scripted([STREAM[0], failed, DONE]))
    assert b"".join(await read(ground, asked(stream=True))) == STREAM[0] + failed + DONE
    assert ground.trail.outcomes[0].outcome == "cut"


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (replace(asked(), body=b"{"), NotJson),
        (replace(asked(), body=b"[]"), BadBody),
        (asked(model="gpt-9"), ZhengwuError),
        (asked(messages=[]), BadBody),
        (replace(asked(), declared="4"), SecretRefused),
        (asked(replace(CALLER, models=frozenset({"embed"}))), ModelNotAllowed),
    ],
)
async def test_what_is_refused_at_the_door_reaches_nobody_and_is_recorded(
    request_: Asked, error: type[Exception]
) -> None:
    ground = Ground(Scripted([WHOLE]))
    with pytest.raises(error):
        await read(ground, request_)
    assert ground.routes.calls == [] and ground.limits.asks == []
    (outcome,) = ground.trail.outcomes
    assert outcome.outcome == "refused" and 400 <= outcome.status < 500 and outcome.code
    assert len(ground.trail.intents) == 1


async def test_a_caller_may_ask_for_the_names_on_its_list() -> None:
    for allowed, name in (("chat", "chat"), ("m", "m"), ("chat", "m")):
        ground = Ground(Scripted([WHOLE]))
        caller = replace(CALLER, models=frozenset({allowed}))
        if allowed == name:
            await read(ground, asked(caller, model=name))
            assert ground.trail.outcomes[0].outcome == "done"
            continue
        with pytest.raises(ModelNotAllowed, match="可用：chat"):
            await read(ground, asked(caller, model=name))


async def test_what_cannot_be_recorded_is_not_sent() -> None:
    ground = Ground(Scripted([WHOLE]), trail=Listing(full=True))
    with pytest.raises(ZhengwuError, match="磁盘已满"):
        await read(ground, asked())
    assert ground.routes.calls == []
    assert ground.limits.settled == [Spent()]


FAILURES: dict[str, BaseException] = {
    "down": UpstreamDown("连不上"),
    "failed": UpstreamFailed("HTTP 500", 500),
    "egress": EgressRefused("不得外发"),
    "bug": RuntimeError("bug"),
}


@settings(max_examples=150, deadline=None)
@given(
    stream=st.booleans(),
    refuse=st.booleans(),
    opening=st.none() | st.sampled_from(sorted(FAILURES)),
    status=st.sampled_from([200, 200, 200, 400, 500]),
    cuts=st.lists(st.integers(1, 400), max_size=6),
    broken=st.none() | st.integers(0, 5),
    leave_after=st.none() | st.integers(0, 4),
    reader=st.sampled_from(["reads", "leaves", "raises", "cancelled", "cancelled twice"]),
)
def test_every_way_out_settles_once_and_completes_once(
    stream: bool,
    refuse: bool,
    opening: str | None,
    status: int,
    cuts: list[int],
    broken: int | None,
    leave_after: int | None,
    reader: str,
) -> None:
    pieces: list[bytes | BaseException] = [*split(b"".join(STREAM) if stream else WHOLE, cuts)]
    if broken is not None:
        pieces[broken:] = [UpstreamCut("断开")]
    routes = Scripted(pieces, status, FAILURES[opening] if opening else None)
    ground = Ground(routes, Counting(refuse, pause_s=0.001))
    whole = asyncio.run(run(ground, asked(stream=stream), reader, leave_after))
    assert len(ground.limits.settled) == len(ground.limits.asks) == (0 if refuse else 1)
    (outcome,), (intent,) = ground.trail.outcomes, ground.trail.intents
    assert intent.request_id == outcome.request_id
    assert (outcome.outcome == "done") == whole
    assert routes.closed == (not refuse and not opening)
    if ground.limits.settled:
        assert ground.limits.settled == [outcome.spent]
    if refuse:
        assert outcome.outcome == "refused"
    elif opening or status != 200:
        assert outcome.outcome in ("failed", "refused") and outcome.spent == Spent()


async def run(ground: Ground, request: Asked, reader: str, leave_after: int | None) -> bool:
    """Whether the answer was read to its end, and nothing but a hang-up came after."""
    last = b""

    async def serve() -> None:
        nonlocal last
        read = 0
        async with ground.governed.open(request) as relayed:
            async for piece in relayed.chunks():
                read, last = read + 1, piece
                if leave_after is not None and read > leave_after and await leave(reader):
                    return

    task = asyncio.create_task(serve())
    if reader.startswith("cancelled") and leave_after is not None:
        for _ in reader.split():
            for _ in range(30):
                await asyncio.sleep(0)
            task.cancel()
    await asyncio.wait([task])
    failed = not task.cancelled() and task.exception() is not None
    return not failed and (last == WHOLE or last.endswith(DONE))


async def leave(reader: str) -> bool:
    if reader == "raises":
        raise RuntimeError("the client's side broke")
    if reader.startswith("cancelled"):
        await asyncio.sleep(60)
    return reader == "leaves"


def split(body: bytes, cuts: list[int]) -> list[bytes]:
    pieces: list[bytes] = []
    for cut in cuts:
        pieces.append(body[:cut])
        body = body[cut:]
    return [piece for piece in (*pieces, body) if piece]


async def test_a_caller_who_is_cancelled_before_an_answer_pays_nothing() -> None:
    ground = Ground(Scripted([WHOLE], hold=asyncio.Event()))
    task = asyncio.create_task(read(ground, asked()))
    while not ground.routes.calls:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert ground.limits.settled == [Spent()]
    assert [o.outcome for o in ground.trail.outcomes] == ["left"]


async def test_services_inside_the_gateway_are_metered_too() -> None:
    ground = Ground(Scripted([*STREAM[:3], USAGE_EVENT, DONE]))
    routes = GovernedRoutes(ground.governed, replace(CALLER, key_id="service:qa"), "/api/qa")
    SERVED_FOR.set("web-2026-0001")
    request = ChatRequest(model="chat", messages=(Message(role="user", content="问"),))
    words = [piece.text async for piece in ChatClient(routes).stream(request, 3)]
    assert "".join(words) == "居住证十五日"
    ground.routes.pieces = [orjson.dumps(VECTORS)]
    assert (await EmbedClient(routes, "embed").embed(["一"], "query", 3)).shape == (1, 2)
    chat, embed = ground.trail.intents
    assert (chat.route, chat.grade, chat.caller.key_id) == ("/api/qa", 3, "service:qa")
    assert chat.request_id.startswith("web-2026-0001.")
    assert embed.model == "embed"
    assert ground.limits.settled == [Spent(7, 3, 0), Spent(4, 0, 0)]


VECTORS: dict[str, Any] = {
    "data": [{"index": 0, "embedding": [1.0, 2.0]}],
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}
