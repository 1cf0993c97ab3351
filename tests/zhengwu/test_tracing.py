"""Traces across processes, into a collector that is really there."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.zhengwu.otlp import running_collector

from zhengwu.errors import OutboundError
from zhengwu.outbound import Outbound
from zhengwu.tracing import (
    CallSpan,
    OtlpExporter,
    TraceRequests,
    open_tracing,
    span,
)

ROOT = Path(__file__).resolve().parents[2]
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def scope_of(*headers: tuple[str, str]) -> dict[str, Any]:
    kept = [(name.encode(), value.encode()) for name, value in headers]
    return {"type": "http", "method": "POST", "headers": kept, "state": {"request_id": "r-1"}}


async def receive() -> dict[str, Any]:
    return {"type": "http.disconnect"}


async def send(message: Any) -> None:
    """Nobody listens."""


async def test_one_trace_from_the_browser_to_the_engine() -> None:
    async with running_collector() as collector:
        command = (sys.executable, "-m", "tests.zhengwu.traced_process", collector.url)
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        engine = await asyncio.create_subprocess_exec(
            *command, env=environment, cwd=ROOT, stdout=subprocess.PIPE
        )
        assert engine.stdout is not None
        port = int(await engine.stdout.readline())

        async def app(scope: Any, receive: Any, send: Any) -> None:
            async with Outbound("self", 1) as outbound:
                with span("grade", grade=3):
                    call = CallSpan("chat", server="pool")
                    url = f"http://127.0.0.1:{port}/work"
                    async with outbound.get(url, call.headers) as answer:
                        call.end(status=answer.status)
            await send({"type": "http.response.start", "status": 200, "headers": []})

        with open_tracing(collector.url, "gateway") as tracer:
            traced = TraceRequests(app, tracer)
            await traced(scope_of(("traceparent", CALLER)), receive, send)
            engine.send_signal(signal.SIGTERM)
            await engine.wait()
            await asyncio.to_thread(_flush, tracer)
        edge, chat = collector.named("POST -"), collector.named("chat")
        engine_edge, generate = collector.named("GET /work"), collector.named("generate")
        assert {s.trace for s in collector.spans} == {CALLER.split("-")[1]}
        assert edge.parent == CALLER.split("-")[2]
        assert collector.named("grade").parent == edge.id
        assert chat.parent == collector.named("grade").id
        assert engine_edge.parent == chat.id
        assert generate.parent == engine_edge.id
        assert (edge.service, generate.service) == ("gateway", "engine")
        assert generate.facts == {"gen_ai.request.model": "m", "tokens": "3"}
        assert edge.facts["http.response.status_code"] == "200"
        assert edge.facts["zhengwu.request_id"] == "r-1"


async def test_an_error_is_told_by_its_type_and_never_by_its_words() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        with span("step"):
            raise ValueError("王小明 13800138000")

    async with running_collector() as collector:
        with open_tracing(collector.url, "gateway") as tracer:
            with pytest.raises(ValueError, match="1380"):
                await TraceRequests(app, tracer)(scope_of(), receive, send)
            await asyncio.to_thread(_flush, tracer)
        assert collector.named("step").facts["error.type"] == "ValueError"
        assert collector.named("step").failed
        assert b"13800138000" not in collector.raw
        assert "王小明".encode() not in collector.raw


async def test_without_an_endpoint_there_is_nothing() -> None:
    seen: list[dict[str, str]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with span("step"):
            call = CallSpan("chat")
            seen.append(call.headers)
            call.end()

    with open_tracing(None, "gateway") as tracer:
        assert tracer is None
        await TraceRequests(app, tracer)(scope_of(("traceparent", CALLER)), receive, send)
    assert seen == [{}]


async def test_a_collector_that_is_away_delays_nobody() -> None:
    with open_tracing("http://127.0.0.1:9/v1/traces", "gateway") as tracer:

        async def app(scope: Any, receive: Any, send: Any) -> None:
            with span("step"):
                pass

        await TraceRequests(app, tracer)(scope_of(), receive, send)


def test_spans_may_carry_public_data_only() -> None:
    with pytest.raises(OutboundError):
        Outbound("telemetry", 2)
    OtlpExporter("http://127.0.0.1:9/").shutdown()


def _flush(tracer: Any) -> None:
    tracer.span_processor.force_flush()
