"""An engine's application goes on with the trace that the gateway sends along."""

import asyncio
from typing import Any

import pytest
from tests.zhengwu.otlp import running_collector

from zhengwu.serving import trace
from zhengwu.serving.gate import Gate
from zhengwu.serving.wire import engine_app

TRACE = "0af7651916cd43dd8448eb211c80319c"
SCOPE: dict[str, Any] = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "path": "/health",
    "raw_path": b"/health",
    "root_path": "",
    "query_string": b"",
    "headers": [(b"traceparent", f"00-{TRACE}-b7ad6b7169203331-01".encode())],
}


async def alive() -> None:
    """It works."""


async def test_a_replica_continues_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_collector() as collector:
        monkeypatch.setenv("ZHENGWU_OTLP_ENDPOINT", collector.url)
        closing: list[Any] = []
        monkeypatch.setattr(trace.atexit, "register", closing.append)
        app = engine_app("m", Gate(1, 1, 1), alive)
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(SCOPE, receive, send)
        assert sent[0]["status"] == 200
        (close,) = closing
        await asyncio.to_thread(close)
        span = collector.named("GET /health")
        assert (span.service, span.trace, span.parent) == ("engine:m", TRACE, "b7ad6b7169203331")


async def test_without_a_collector_nothing_is_traced() -> None:
    assert trace.replica_tracer("m") is None
