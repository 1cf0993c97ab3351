"""What happens to every request before and after a route: ids, log, limits, headers."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send
from tests.gateway.conftest import Running

from zhengwu.gateway.edge.body_limit import BodyLimit
from zhengwu.gateway.edge.catch import Catch
from zhengwu.gateway.edge.edge import Edge
from zhengwu.gateway.edge.observe import LOGGER, Records
from zhengwu.gateway.edge.rate_limit import Buckets, RateLimit, Rule, address_of
from zhengwu.gateway.errors import KeyRefused
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.metrics import Metrics


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def call(
    app: Any, scope: dict[str, Any] | None = None, messages: list[Message] | None = None
) -> list[Message]:
    sent: list[Message] = []
    waiting = list(messages or [{"type": "http.request", "body": b"", "more_body": False}])
    whole = {"type": "http", "method": "POST", "path": "/api/qa", "headers": [], **(scope or {})}

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(whole, receive, send)
    return sent


async def test_a_safe_id_is_taken_over_and_any_other_is_not(gateway: Running) -> None:
    for given, kept in (
        ("web-2026-0001", True),
        ("short", False),
        ("a" * 65, False),
        ("a b c d e", False),
    ):
        headers = {"x-request-id": given}
        _, _, answered = await gateway.get("/healthz", headers=headers)
        assert (answered["x-request-id"] == given) is kept
    async with gateway.http.post(f"{gateway.url}/v1/chat/completions", json={
        "model": "chat", "messages": [{"role": "user", "content": "您好"}],
    }, headers={**gateway.headers, "x-request-id": "web-2026-0001"}):  # fmt: skip
        assert gateway.wire.headers[0]["x-request-id"] == "web-2026-0001"


async def test_the_access_log_has_no_body_query_address_or_key(
    gateway: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", LOGGER)
    await gateway.post("/api/qa?secret=1", json={"question": "", "kb": "张三"})
    await gateway.get("/v1/models", headers=gateway.headers)
    lines = [json.loads(r.getMessage()) for r in caplog.records if r.name == LOGGER]
    text = json.dumps(lines, ensure_ascii=False)
    assert [line["route"] for line in lines] == ["/api/qa", "/v1/models"]
    assert lines[0]["status"] == 422 and lines[0]["code"] == "question_empty"
    assert lines[1]["key"] == gateway.key_id
    for secret in ("secret", "张三", "127.0.0.1", gateway.key):
        assert secret not in text


async def test_security_headers(gateway: Running) -> None:
    _, _, headers = await gateway.get("/healthz")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


async def test_a_declared_large_body_is_refused_unread() -> None:
    sent = await call(BodyLimit(ok, max_bytes=10), {"headers": [(b"content-length", b"11")]}, [])
    assert sent[0]["status"] == 413


async def test_an_undeclared_large_body_is_refused_at_the_limit() -> None:
    pieces: list[Message] = [{"type": "http.request", "body": b"x" * 6, "more_body": True}] * 3
    sent = await call(BodyLimit(ok, max_bytes=10), None, pieces)
    assert sent[0]["status"] == 413


async def test_a_body_that_never_arrives_is_given_up() -> None:
    pieces: list[Message] = [{"type": "http.request", "body": b"x", "more_body": True}]
    sent = await call(BodyLimit(ok, max_seconds=0.05), None, pieces)
    assert sent[0]["status"] == 408


async def test_a_body_within_the_limit_arrives_whole() -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.body", "body": (await receive())["body"]})

    pieces: list[Message] = [
        {"type": "http.request", "body": b"ab", "more_body": True},
        {"type": "http.request", "body": b"cd", "more_body": False},
    ]
    assert (await call(BodyLimit(echo), None, pieces))[0]["body"] == b"abcd"


async def test_an_unforeseen_error_after_the_start_cuts_the_answer() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("half way")

    for layer in (Catch(fails), Edge(fails, Records(Metrics()))):
        with pytest.raises(RuntimeError, match="half way"):
            await call(layer)


async def test_a_request_is_written_down_even_if_it_fails() -> None:
    lines: list[Mapping[str, object]] = []

    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("secret detail")

    sent = await call(Edge(fails, Records(Metrics(), lines.append)))
    assert sent[0]["status"] == lines[0]["status"] == 500
    assert b"secret" not in sent[1]["body"]


async def test_a_caller_who_left_before_an_answer_is_written_down_as_such() -> None:
    lines: list[Mapping[str, object]] = []

    async def cancelled(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await call(Edge(cancelled, Records(Metrics(), lines.append)))
    assert lines[0]["status"] == 499


class OneKey:
    async def caller(self, secret: str) -> Caller:
        if secret != "zw-good":
            raise KeyRefused("密钥无效")
        return Caller("k", "n")


async def test_an_address_that_asks_too_often_waits_and_a_key_does_not() -> None:
    clock = [0.0]
    rules = (Rule("/api/qa", per_minute=6, burst=2),)
    app = RateLimit(ok, OneKey(), rules, clock=lambda: clock[0])
    here = {"client": ("10.0.0.1", 1)}

    async def status(**scope: Any) -> int:
        return (await call(app, {**here, **scope}))[0]["status"]

    assert [await status() for _ in range(3)] == [200, 200, 429]
    assert await status(client=("10.0.0.2", 1)) == 200
    assert await status(path="/healthz") == 200
    assert await status(headers=[(b"authorization", b"Bearer zw-good")]) == 200
    assert await status(headers=[(b"authorization", b"Bearer zw-bad")]) == 429
    refused = await call(app, here)
    assert dict(refused[0]["headers"])[b"retry-after"] == b"10"
    assert "10 秒后再试" in json.loads(refused[1]["body"])["error"]["message"]
    clock[0] += 10
    assert [await status() for _ in range(2)] == [200, 429]


def test_buckets_forget_the_address_not_seen_for_longest() -> None:
    buckets = Buckets(Rule("/", 1, 1), clock=lambda: 0.0, max_names=2)
    assert [buckets.take(name) for name in "aba"] == [0, 0, 60]
    assert [buckets.take(name) for name in "cb"] == [0, 0]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_whose_address_it_is(host: str, name: str) -> None:
    assert address_of({"type": "http", "client": (host, 1)}) == name
