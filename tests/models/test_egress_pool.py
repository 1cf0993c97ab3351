"""A new address list: what is off it gets nothing any more, and what is under way ends well."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from zhengwu.errors import SettingsError
from zhengwu.models.egress import Egress
from zhengwu.models.errors import EgressRefused
from zhengwu.models.upstream import Call, Upstream

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]
CALL = Call("chat/completions", b"{}", 3)


def upstream(base: str) -> Upstream:
    return Upstream("某模型", f"{base}/v1", "m")


async def test_a_kept_connection_is_not_used_again(serve: Serve) -> None:
    seen = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal seen
        seen += 1
        return web.Response(text="ok")

    target = upstream(await serve(answer))
    async with Egress(["127.0.0.1"]) as egress:
        async with egress.open(target, CALL) as reply:
            assert [block async for block in reply.chunks()] == [b"ok"]
        await egress.use_pool(["10.9.9.9"])
        with pytest.raises(EgressRefused):
            async with egress.open(target, CALL):
                pass
        assert seen == 1
        await egress.use_pool(["127.0.0.0/8"])
        async with egress.open(target, CALL) as reply:
            assert reply.status == 200


async def test_a_stream_under_way_goes_on_to_its_end(serve: Serve) -> None:
    go_on = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"one")
        await go_on.wait()
        await answer.write(b"two")
        return answer

    target = upstream(await serve(stream))
    async with Egress(["127.0.0.1"]) as egress:
        async with egress.open(target, CALL) as reply:
            chunks = reply.chunks()
            read = await anext(chunks)
            await egress.use_pool(["10.9.9.9"])
            go_on.set()
            read += b"".join([block async for block in chunks])
    assert read == b"onetwo"


async def test_a_list_that_cannot_be_read_changes_nothing(serve: Serve) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    target = upstream(await serve(answer))
    async with Egress(["127.0.0.1"]) as egress:
        for wrong in (["0.0.0.0/0"], ["x y"], ["10.0.0.1:99999"]):
            with pytest.raises(SettingsError):
                await egress.use_pool(wrong)
        async with egress.open(target, CALL) as reply:
            assert reply.status == 200
