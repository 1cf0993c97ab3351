"""Outgoing connections: a purpose, a grade, and `self` that never leaves the machine."""

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from zhengwu.errors import OutboundError
from zhengwu.outbound import PURPOSES, Outbound


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """A small site on the loopback."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=request.headers.get("x-asked", "好"))

    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound("http://192.0.2.1/stolen")

    async def cut(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-length": "100"})
        await answer.prepare(request)
        await answer.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return answer

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(2)
        return web.Response()

    app = web.Application()
    app.add_routes(
        [web.get("/", page), web.get("/away", away), web.get("/cut", cut), web.get("/slow", slow)]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


def test_an_unknown_purpose_is_refused() -> None:
    with pytest.raises(OutboundError, match=r"“tea”.*weights"):
        Outbound("tea", 1)


@pytest.mark.parametrize(
    ("purpose", "grade"), [("weights", 2), ("weights", 4), ("self", 5), ("self", 0)]
)
def test_a_grade_beyond_the_purpose_is_refused(purpose: str, grade: int) -> None:
    with pytest.raises(OutboundError, match=f"分级 {grade}"):
        Outbound(purpose, grade)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_the_highest_grade_itself_may_go(purpose: str) -> None:
    assert Outbound(purpose, PURPOSES[purpose].highest_grade).purpose == purpose


async def test_a_page_is_read_with_its_headers(site: str) -> None:
    async with (
        Outbound("self", 4) as outbound,
        outbound.get(f"{site}/", {"x-asked": "1"}) as answer,
    ):
        assert await answer.text() == "1"


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1/",
        "http://127.0.0.1@192.0.2.1/",
        "http://127.0.0.1.example.com/",
        "//127.0.0.1.example.com",
        "http://0.0.0.0:80/",
        "file:///etc/hostname",
    ],
)
async def test_self_stays_on_the_loopback(url: str, left_machine: list[str]) -> None:
    async with Outbound("self", 1) as outbound:
        with pytest.raises(OutboundError, match="本机"):
            async with outbound.get(url):
                pass
    assert not left_machine


async def test_self_follows_no_redirect_off_the_machine(site: str, left_machine: list[str]) -> None:
    async with Outbound("self", 1) as outbound, outbound.get(f"{site}/away") as answer:
        assert answer.status == 302
    assert not left_machine


async def test_self_uses_no_proxy(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://192.0.2.1:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with Outbound("self", 1) as outbound, outbound.get(f"{site}/") as answer:
        assert answer.status == 200


async def test_a_refused_connection_names_the_address() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with Outbound("self", 1) as outbound:
        with pytest.raises(OutboundError, match=str(port)) as caught:
            async with outbound.get(f"http://127.0.0.1:{port}/"):
                pass
    assert isinstance(caught.value.__cause__, aiohttp.ClientError)


async def test_half_an_answer_is_an_error(site: str) -> None:
    async with Outbound("self", 1) as outbound:
        with pytest.raises(OutboundError, match="/cut"):
            async with outbound.get(f"{site}/cut") as answer:
                await answer.read()


async def test_silence_is_an_error(site: str) -> None:
    async with Outbound("self", 1, timeout_s=0.2) as outbound:
        with pytest.raises(OutboundError, match="/slow"):
            async with outbound.get(f"{site}/slow"):
                pass


@pytest.mark.parametrize("purpose", ["self", "weights"])
async def test_a_malformed_address_is_an_error(purpose: str) -> None:
    async with Outbound(purpose, 1) as outbound:
        with pytest.raises(OutboundError):
            async with outbound.get("http://[half"):
                pass


async def test_a_client_that_is_not_open_says_so(site: str) -> None:
    outbound = Outbound("self", 1)
    with pytest.raises(OutboundError, match="尚未打开"):
        async with outbound.get(site):
            pass
    async with outbound:
        pass
    with pytest.raises(OutboundError, match="尚未打开"):
        async with outbound.get(site):
            pass
