"""The egress guard: what may leave, to where, and that nothing goes round it."""

import ast
import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv4Network, ip_address
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from zhengwu.models.addresses import PoolAddresses
from zhengwu.models.clearance import decide
from zhengwu.models.egress import Egress
from zhengwu.models.errors import (
    EgressRefused,
    RedirectRefused,
    UpstreamCut,
    UpstreamDown,
    UpstreamKeyMissing,
)
from zhengwu.models.upstream import Call, Upstream

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]
ROOT = Path(__file__).resolve().parents[2]
POOL = ["127.0.0.1", "10.20.0.0/16"]


def call(grade: int = 1, stream: bool = False) -> Call:
    return Call("chat/completions", b"{}", grade, stream)


def upstream(base: str, **given: object) -> Upstream:
    return Upstream("某模型", f"{base}/v1", "m", **given)  # pyright: ignore[reportArgumentType]


@given(
    grade=st.one_of(st.integers(-2, 9), st.none(), st.booleans(), st.text(max_size=2)),
    address=st.one_of(
        st.ip_addresses(v=4), st.ip_addresses(v=4, network="10.20.0.0/15"), st.ip_addresses(v=6)
    ),
    scheme=st.sampled_from(["http", "https", "ftp", "file"]),
    private=st.booleans(),
    allowed=st.integers(1, 3),
    port=st.integers(1, 65535),
)
def test_grades_by_addresses(
    grade: object, address: object, scheme: str, private: bool, allowed: int, port: int
) -> None:
    """Whatever leaves, leaves by the rules; everything else is refused."""
    ip = ip_address(str(address))
    host = f"[{ip}]" if ip.version == 6 else str(ip)
    url = URL(f"{scheme}://{host}:{port}/v1/chat/completions")
    target = Upstream("u", str(url), "m", privately_deployed=private, grade_allowed=allowed)
    on_pool = isinstance(ip, IPv4Address) and (
        ip == IPv4Address("127.0.0.1") or ip in IPv4Network("10.20.0.0/16")
    )
    if ip.version == 6 and ip.ipv4_mapped:
        on_pool = (
            ip.ipv4_mapped in IPv4Network("10.20.0.0/16") or str(ip.ipv4_mapped) == "127.0.0.1"
        )
    try:
        way = decide(grade, url, target, PoolAddresses(POOL))
    except EgressRefused:
        way = None
    if way is None:
        return
    assert type(grade) is int
    assert 1 <= grade <= 3
    assert grade <= allowed
    assert scheme in ("http", "https")
    if way == "pool":
        assert on_pool
    elif way == "outside":
        assert grade == 1 or (grade == 2 and private)
        assert scheme == "https" or private
    else:  # the resolver refuses names off the pool; aiohttp never asks it about an address
        assert way == "resolve"
        assert not on_pool


@pytest.mark.parametrize("grade", [0, 4, 5, -1, True, None, "1", 1.0])
async def test_a_grade_in_doubt_is_refused(grade: object) -> None:
    async with Egress() as egress:
        with pytest.raises(EgressRefused):
            async with egress.open(
                upstream("http://127.0.0.1:9"),
                Call("chat/completions", b"{}", grade),  # pyright: ignore[reportArgumentType]
            ):
                pass


class Counting:
    """Counts the connections it gets, whatever is sent on them."""

    def __init__(self) -> None:
        self.connections = 0
        self.server: asyncio.Server | None = None

    async def start(self) -> int:
        async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            writer.close()

        self.server = await asyncio.start_server(accept, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self.server
        self.server.close()
        await self.server.wait_closed()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("grade", [2, 3])
@pytest.mark.parametrize("base", ["http", "https"])
async def test_not_even_a_connection_off_the_pool(host: str, grade: int, base: str) -> None:
    counting = Counting()
    port = await counting.start()
    try:
        async with Egress(pool=["10.99.0.0/16"]) as egress:
            with pytest.raises(EgressRefused):
                async with egress.open(upstream(f"{base}://{host}:{port}"), call(grade)):
                    pass
    finally:
        await counting.stop()
    assert counting.connections == 0


async def test_the_last_check_is_at_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the decision were wrong, no socket is made for an address off the pool."""
    counting = Counting()
    port = await counting.start()

    def wrong(*_: object) -> str:
        return "pool"

    monkeypatch.setattr("zhengwu.models.egress.decide", wrong)
    try:
        async with Egress(pool=["10.99.0.0/16"]) as egress:
            with pytest.raises(EgressRefused):
                async with egress.open(upstream(f"http://127.0.0.1:{port}"), call(3)):
                    pass
    finally:
        await counting.stop()
    assert counting.connections == 0


async def test_a_listed_name_and_a_name_of_listed_addresses_may_have_grade_3(serve: Serve) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    port = URL(await serve(answer)).port
    for pool in (["127.0.0.1", "::1"], [f"localhost:{port}"]):
        async with Egress(pool=pool) as egress:
            async with egress.open(upstream(f"http://localhost:{port}"), call(3)) as reply:
                assert reply.status == 200


async def test_grade_2_goes_to_a_private_deployment_and_grade_3_does_not(serve: Serve) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    base = await serve(answer)
    private = upstream(base, privately_deployed=True, grade_allowed=3)
    async with Egress(pool=[]) as egress:
        for grade in (1, 2):
            async with egress.open(private, call(grade)) as reply:
                assert reply.status == 200
        with pytest.raises(EgressRefused):
            async with egress.open(private, call(3)):
                pass


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_refused(serve: Serve, status: int) -> None:
    seen: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    base = await serve(redirect)
    async with Egress() as egress:
        with pytest.raises(RedirectRefused, match="elsewhere"):
            async with egress.open(upstream(base), call()):
                pass
    assert seen == ["/v1/chat/completions"]


@pytest.mark.parametrize(
    "path",
    ["../admin", "http://evil.cn/v1", "//evil.cn/x", "a?b=c", "", "/", "a#b", "%2e%2e/x", "@e.cn",
     "a\\b"],
)  # fmt: skip
async def test_a_path_cannot_change_where_a_call_goes(path: str) -> None:
    async with Egress() as egress:
        with pytest.raises(EgressRefused):
            async with egress.open(upstream("http://127.0.0.1:9"), Call(path, b"{}", 1)):
                pass


@pytest.mark.parametrize(
    "base", ["http://u:p@127.0.0.1:9", "ftp://127.0.0.1:9", "http://", "127.0.0.1:9"]
)
async def test_an_odd_base_url_is_refused(base: str) -> None:
    async with Egress() as egress:
        with pytest.raises(EgressRefused):
            async with egress.open(upstream(base), call()):
                pass


async def test_keys_and_headers(serve: Serve) -> None:
    got: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        got.append(request)
        return web.Response(text="ok", headers={"Set-Cookie": "a=b", "Content-Type": "text/plain"})

    base = await serve(answer)
    keyed = upstream(base, key_env="SOME_KEY")
    client = {"X-Request-ID": "r1", "Authorization": "Bearer zw-secret", "Cookie": "s=1"}
    sent = Call("chat/completions", b"{}", 1, headers=client)
    async with Egress(keys={"SOME_KEY": "sk-1"}) as egress:
        async with egress.open(keyed, sent) as reply:
            assert "set-cookie" not in reply.headers
        async with egress.open(upstream(base), sent):
            pass
    assert got[0].headers["Authorization"] == "Bearer sk-1"
    assert got[0].headers["X-Request-ID"] == "r1"
    assert "Cookie" not in got[0].headers
    assert "Authorization" not in got[1].headers
    async with Egress() as egress:
        with pytest.raises(UpstreamKeyMissing, match="SOME_KEY"):
            async with egress.open(keyed, call()):
                pass


async def test_nothing_listens() -> None:
    async with Egress() as egress:
        with pytest.raises(UpstreamDown, match="127.0.0.1:9"):
            async with egress.open(upstream("http://127.0.0.1:9"), call()):
                pass


async def test_a_broken_body_is_cut_and_a_silent_one_too(serve: Serve) -> None:
    async def break_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"data: {}\n\n")
        if request.query_string == "" and request.path.endswith("silent"):
            await asyncio.sleep(5)
        assert request.transport
        request.transport.close()
        return response

    base = await serve(break_off)
    async with Egress(silence_timeout_s=0.2) as egress:
        for path in ("chat/completions", "silent"):
            with pytest.raises(UpstreamCut):
                async with egress.open(upstream(base), Call(path, b"{}", 1)) as reply:
                    async for _ in reply.chunks():
                        pass


async def test_leaving_early_ends_the_work_at_the_upstream(serve: Serve) -> None:
    gone = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"data: {}\n\n")
                await asyncio.sleep(0.01)
        except (ConnectionError, asyncio.CancelledError):
            gone.set()
            raise

    base = await serve(endless)
    async with Egress() as egress:

        async def read() -> None:
            async with egress.open(upstream(base), call(stream=True)) as reply:
                async for _ in reply.chunks():
                    pass

        reading = asyncio.create_task(read())
        await asyncio.sleep(0.1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.wait_for(gone.wait(), 2)


async def test_a_connection_the_server_closed_is_not_the_upstreams_failure() -> None:
    """Announces keep-alive and closes after each answer, as llama.cpp does after a stream."""
    answered = 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"POST /v1/chat/completions")
        await reader.readexactly(2)
        answered += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=5\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    target = upstream(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with Egress() as egress:
        for _ in range(6):
            async with egress.open(target, call()) as reply:
                assert [block async for block in reply.chunks()] == [b"ok"]
    server.close()
    await server.wait_closed()
    assert answered == 6


async def test_a_new_connection_that_breaks_is_not_tried_again() -> None:
    counting = Counting()
    port = await counting.start()
    async with Egress() as egress:
        with pytest.raises(UpstreamDown):
            async with egress.open(upstream(f"http://127.0.0.1:{port}"), call()):
                pass
    await counting.stop()
    assert counting.connections == 1


async def test_connections_are_kept_alive(serve: Serve) -> None:
    ports: set[int] = set()

    async def answer(request: web.Request) -> web.Response:
        assert request.transport
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response(text="ok")

    base = await serve(answer)
    async with Egress() as egress:
        for _ in range(5):
            async with egress.open(upstream(base), call()) as reply:
                assert [block async for block in reply.chunks()] == [b"ok"]
    assert len(ports) == 1


def test_nothing_else_in_the_product_opens_a_connection() -> None:
    """Only the egress guard and `outbound.py` may use an HTTP client or connect a socket."""
    clients = {"aiohttp", "httpx", "requests", "urllib3", "http.client", "urllib.request"}
    calls = {"create_connection", "open_connection", "sock_connect", "urlopen"}
    allowed = {"models/egress.py", "src/zhengwu/outbound.py"}
    # Names a type of the answer that `outbound.py` gave it; it is handed an open client.
    allowed.add("models/weights/download.py")
    # The yardstick and the load generator of a bench: processes of their own, loopback only.
    allowed |= {"eval/bench/gateway/bare.py", "eval/bench/gateway/load.py"}
    rooms = ["models", "rag", "agents", "src", "datasets", "gateway", "eval"]
    for path in (p for room in rooms for p in (ROOT / room).rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if name in allowed or "node_modules" in name:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                used = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                used = {node.module or ""}
            else:
                used = {getattr(node, "attr", "")} & calls
            assert not used & (clients | calls), f"{name} opens connections of its own"


@pytest.mark.parametrize(
    "host",
    [
        "0x7f000001",
        "0x7f.1",
        "2130706433",
        "127.1",
        "0177.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[::1]",
        "0.0.0.0",
        "localhost.",
        "LOCALHOST",
        "127.0.0.1.",
    ],
)
@pytest.mark.parametrize("grade", [2, 3])
async def test_no_way_of_writing_an_address_goes_round_the_list(host: str, grade: int) -> None:
    counting = Counting()
    port = await counting.start()
    try:
        async with Egress(pool=["10.99.0.0/16"]) as egress:
            with pytest.raises((EgressRefused, UpstreamDown)):
                async with egress.open(upstream(f"http://{host}:{port}"), call(grade)):
                    pass
    finally:
        await counting.stop()
    assert counting.connections == 0


async def test_a_name_that_changes_its_mind(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    """DNS rebinding: what a name meant at one moment is no pass for what it means at the next."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    port = URL(await serve(answer)).port
    meant = iter(["127.0.0.1", "192.0.2.7"])

    async def resolve(*_: object, **__: object) -> list[dict[str, object]]:
        found = {"hostname": "gpu.internal", "host": next(meant), "port": port, "family": 2}
        return [{**found, "proto": 0, "flags": 0}]

    monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", resolve)
    async with Egress(pool=["127.0.0.1"]) as egress:
        target = upstream(f"http://gpu.internal:{port}")
        async with egress.open(target, call(3)) as reply:
            assert reply.status == 200
        await egress.close()  # no kept connection: the name is asked again
        with pytest.raises(EgressRefused, match="192.0.2.7|gpu.internal"):
            async with egress.open(target, call(3)):
                pass


async def test_no_proxy_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, serve: Serve
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    counting = Counting()
    port = await counting.start()
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    async with Egress() as egress:
        async with egress.open(upstream(await serve(answer)), call(3)) as reply:
            assert reply.status == 200
    await counting.stop()
    assert counting.connections == 0


async def test_headers_that_a_client_chose_stay_on_the_pool(serve: Serve) -> None:
    got: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        got.append(request)
        return web.Response(text="ok")

    told = {
        "X-Request-ID": "13800138000",
        "traceparent": "00-1-1-01",
        "tracestate": "a=13800138000",
    }
    sent = Call("chat/completions", b"{}", 1, headers=told)
    private = upstream(await serve(answer), privately_deployed=True)
    async with Egress(pool=[]) as egress:
        async with egress.open(private, sent):
            pass
    async with Egress() as egress:
        async with egress.open(private, sent):
            pass
    assert not {"x-request-id", "traceparent", "tracestate"} & {k.lower() for k in got[0].headers}
    assert got[1].headers["X-Request-ID"] == "13800138000"
