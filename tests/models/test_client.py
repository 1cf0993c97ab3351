"""Clients, router and egress guard together, against real upstreams on the loopback."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

import numpy as np
import orjson
import pytest
from aiohttp import web

from zhengwu.models.client import ChatClient, EmbedClient
from zhengwu.models.egress import Egress
from zhengwu.models.errors import (
    EgressRefused,
    ModelError,
    NoUpstream,
    UpstreamCut,
    UpstreamDown,
    UpstreamFailed,
)
from zhengwu.models.router import Router
from zhengwu.models.upstream import Call, Reply, Upstream
from zhengwu.models.wire import ChatRequest, Message

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]
ASK = ChatRequest(messages=(Message(role="user", content="你好"),))
PIECES = ["好", "的", "。"]


def delta(text: str) -> bytes:
    body = {"model": "m", "choices": [{"delta": {"content": text}}]}
    return b"data: " + orjson.dumps(body) + b"\n\n"


def streaming(*blocks: bytes, status: int = 200) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for block in blocks:
            await response.write(block)
            await asyncio.sleep(0.005)
        return response

    return answer


def plain(body: object, status: int = 200) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")

    return answer


GOOD = streaming(b": ping\n\n", *map(delta, PIECES), b"data: [DONE]\n\n")


def at(base: str, name: str = "甲", **given: object) -> Upstream:
    return Upstream(name, f"{base}/v1", f"{name}-model", **given)  # pyright: ignore[reportArgumentType]


async def ask(upstreams: list[Upstream], grade: int = 1, pool: str = "127.0.0.1") -> list[str]:
    async with Egress([pool]) as egress:
        client = ChatClient(Router({"chat": upstreams}, egress))
        return [delta.text async for delta in client.stream(ASK, grade)]


async def test_a_streamed_answer(serve: Serve) -> None:
    assert await ask([at(await serve(GOOD))], grade=3) == PIECES


async def test_a_stream_cut_anywhere_gives_the_same(serve: Serve) -> None:
    whole = b": ping\n\n" + b"".join(map(delta, PIECES)) + b"data: [DONE]\n\n"
    blocks = [whole[i : i + 7] for i in range(0, len(whole), 7)]
    assert await ask([at(await serve(streaming(*blocks)))]) == PIECES


async def test_a_truncated_stream_is_cut(serve: Serve) -> None:
    with pytest.raises(UpstreamCut):
        await ask([at(await serve(streaming(delta("好"))))])


@pytest.mark.parametrize(
    "event", [b'data: {"error":{"message":"OOM"}}\n\n', b'event: error\ndata: {"error":"OOM"}\n\n']
)
async def test_an_error_event_is_a_failure(serve: Serve, event: bytes) -> None:
    for blocks in ((event,), (delta("好"), event)):
        with pytest.raises(UpstreamFailed, match="OOM"):
            await ask([at(await serve(streaming(*blocks)))])


async def test_a_whole_answer_and_the_models_own_name(serve: Serve) -> None:
    asked: list[object] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return web.json_response({"choices": [{"message": {"content": "好"}}], "model": "x"})

    async with Egress() as egress:
        routes = {"chat": [at(await serve(answer))]}
        reply = await ChatClient(Router(routes, egress)).complete(ASK, 2)
    assert reply.text == "好"
    assert isinstance(asked[0], dict)
    assert asked[0]["model"] == "甲-model"


@pytest.mark.parametrize(
    "bad",
    [
        plain({"error": {"message": "busy"}}, 503),
        plain({"error": {"message": "slow down"}}, 429),
        plain({"error": {"message": "bad key"}}, 401),
        plain({"detail": "Path not found"}, 404),
        streaming(),
        streaming(b'data: {"error":{"message":"OOM"}}\n\n'),
    ],
)
async def test_failing_over_before_the_first_byte(serve: Serve, bad: Handler) -> None:
    assert await ask([at(await serve(bad)), at(await serve(GOOD), "乙")]) == PIECES


async def test_failing_over_from_one_that_is_not_there(serve: Serve) -> None:
    assert await ask([at("http://127.0.0.1:9"), at(await serve(GOOD), "乙")]) == PIECES


async def test_no_failing_over_after_the_first_byte(serve: Serve) -> None:
    seen: list[str] = []
    with pytest.raises(UpstreamCut):
        async with Egress() as egress:
            routes = {
                "chat": [at(await serve(streaming(delta("好")))), at(await serve(GOOD), "乙")]
            }
            async for piece in ChatClient(Router(routes, egress)).stream(ASK, 1):
                seen.append(piece.text)
    assert seen == ["好"]


async def test_the_same_upstream_is_never_asked_twice(serve: Serve) -> None:
    count = 0

    async def failing(_: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return web.Response(status=500)

    one = at(await serve(failing))
    with pytest.raises(UpstreamFailed):
        await ask([one, one, Upstream("别名", one.base_url + "/", one.model)])
    assert count == 1


async def test_a_fallback_cannot_take_sensitive_data_off_the_pool(serve: Serve) -> None:
    reached: list[str] = []

    async def cloud(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response()

    outside = at((await serve(cloud)).replace("127.0.0.1", "localhost"), "云", grade_allowed=3)
    with pytest.raises(NoUpstream, match="云"):
        await ask([at("http://127.0.0.1:9"), outside], grade=3, pool="127.0.0.1:9")
    with pytest.raises(EgressRefused):
        await ask([outside], grade=3, pool="127.0.0.1:9")
    assert not reached


async def test_everything_down_is_listed(serve: Serve) -> None:
    with pytest.raises(NoUpstream) as caught:
        await ask([at("http://127.0.0.1:9"), at(await serve(plain({}, 500)), "乙")])
    assert "甲" in str(caught.value)
    assert "HTTP 500" in str(caught.value)
    with pytest.raises(UpstreamDown):
        await ask([at("http://127.0.0.1:9")])


async def test_an_unknown_name_lists_the_names() -> None:
    async with Egress() as egress:
        client = ChatClient(Router({"chat": [at("http://127.0.0.1:9")]}, egress))
        with pytest.raises(NoUpstream, match="chat"):
            await client.complete(ASK.model_copy(update={"model": "nope"}), 1)


async def test_the_callers_own_mistake_is_not_retried(serve: Serve) -> None:
    bad = plain({"error": {"message": "max_tokens too large"}}, 400)
    with pytest.raises(UpstreamFailed, match="max_tokens") as caught:
        await ask([at(await serve(bad)), at(await serve(GOOD), "乙")])
    assert caught.value.status == 400


async def test_leaving_a_stream_ends_the_work_at_the_upstream(serve: Serve) -> None:
    gone = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(delta("啊"))
                await asyncio.sleep(0.01)
        except (ConnectionError, asyncio.CancelledError):
            gone.set()
            raise

    async with Egress() as egress:
        client = ChatClient(Router({"chat": [at(await serve(endless))]}, egress))
        async with aclosing(client.stream(ASK, 1)) as pieces:
            assert (await anext(pieces)).text == "啊"
        await asyncio.wait_for(gone.wait(), 2)


class Recording:
    """A policy around the real router."""

    def __init__(self, inner: Router) -> None:
        self.inner = inner
        self.asked: list[str] = []

    def open(self, alias: str, call: Call) -> AbstractAsyncContextManager[Reply]:
        self.asked.append(alias)

        @asynccontextmanager
        async def opened():
            async with self.inner.open(alias, call) as reply:
                yield reply

        return opened()


async def test_bytes_pass_through_untouched_and_policies_wrap(serve: Serve) -> None:
    raw = [b": ping\n\n", *map(delta, PIECES), b"data: [DONE]\n\n"]
    async with Egress() as egress:
        policy = Recording(Router({"chat": [at(await serve(streaming(*raw)))]}, egress))
        client = ChatClient(policy)
        body = b'{"model": "chat", "messages": [], "stream": true, "tools": []}'
        async with client.forward("chat/completions", body, 1, True) as reply:
            assert reply.status == 200
            assert reply.headers["content-type"] == "text/event-stream"
            assert b"".join([block async for block in reply.chunks()]) == b"".join(raw)
    assert policy.asked == ["chat"]


async def test_a_passed_through_stream_that_is_cut_fails(serve: Serve) -> None:
    async with Egress() as egress:
        client = ChatClient(Router({"chat": [at(await serve(streaming(delta("好"))))]}, egress))
        with pytest.raises(UpstreamCut):
            async with client.forward("chat/completions", b'{"model":"chat"}', 1, True) as reply:
                async for _ in reply.chunks():
                    pass


async def test_a_passed_through_rejection_keeps_its_status_and_body(serve: Serve) -> None:
    body = {"error": {"message": "bad schema", "type": "invalid_request_error"}}
    async with Egress() as egress:
        client = ChatClient(Router({"chat": [at(await serve(plain(body, 400)))]}, egress))
        async with client.forward("chat/completions", b'{"model":"chat"}', 1, True) as reply:
            assert reply.status == 400
            assert orjson.loads(b"".join([b async for b in reply.chunks()])) == body


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"model": 3}', b'{"model": ""}'])
async def test_a_body_without_a_model_is_refused(body: bytes) -> None:
    async with Egress() as egress:
        client = ChatClient(Router({"chat": [at("http://127.0.0.1:9")]}, egress))
        with pytest.raises(ModelError):
            async with client.forward("chat/completions", body, 1, False):
                pass


async def test_embedding(serve: Serve) -> None:
    kinds: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked = await request.json()
        kinds.append(asked["input_type"])
        rows = [
            {"index": i, "embedding": [float(len(text)), 1.0, 0.0]}
            for i, text in enumerate(asked["input"])
        ]
        return web.json_response({"data": rows[::-1]})

    async with Egress() as egress:
        client = EmbedClient(Router({"embed": [at(await serve(answer))]}, egress), batch=2)
        rows = await client.embed(["一", "二二", "三三三"], "query", 3)
        assert (await client.embed([], "passage", 1)).shape == (0, 0)
    assert rows.dtype == np.float32
    assert rows.shape == (3, 3)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert rows[2, 0] > rows[1, 0] > rows[0, 0]
    assert kinds == ["query", "query"]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"index": 0, "embedding": [0.0, 0.0]}],
        [{"index": 1, "embedding": [1.0]}],
        [{"index": 0, "embedding": []}],
        [{"index": 0}],
    ],
)
async def test_wrong_vectors_are_a_failure(serve: Serve, rows: list[object]) -> None:
    async with Egress() as egress:
        base = await serve(plain({"data": rows}))
        client = EmbedClient(Router({"embed": [at(base)]}, egress))
        with pytest.raises(UpstreamFailed):
            await client.embed(["一"], "passage", 1)
