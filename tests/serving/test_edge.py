"""What Ray Serve's proxy says in plain text, or leaves unsaid, reaches the client in shape."""

from typing import Any

import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

from zhengwu.serving.edge import OpenAIShape, middlewares


def start(status: int, kind: bytes, *more: tuple[bytes, bytes]) -> Message:
    headers = [(b"content-type", kind), *more]
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(data: bytes, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def through(*messages: Message, path: str = "/model/v1/x") -> list[Message]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    async def receive() -> Message:
        raise AssertionError("nothing to receive")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await OpenAIShape(app)({"type": "http", "path": path}, receive, send)
    return sent


def error(sent: list[Message]) -> dict[str, Any]:
    return orjson.loads(sent[-1]["body"].removeprefix(b"data: "))["error"]


@pytest.mark.parametrize("status", [404, 408, 429, 500, 503])
async def test_plain_text_errors_become_json(status: int) -> None:
    sent = await through(start(status, b"text/plain"), body(b"Internal", True), body(b" x"))
    assert sent[0]["status"] == status
    assert error(sent)["message"] and error(sent)["code"]
    assert len(sent) == 2
    if status == 503:
        assert dict(sent[0]["headers"])[b"retry-after"]


async def test_serves_own_retry_after_is_kept() -> None:
    sent = await through(start(503, b"text/plain", (b"retry-after", b"9")), body(b""))
    assert dict(sent[0]["headers"])[b"retry-after"] == b"9"


async def test_what_is_json_or_fine_passes_untouched() -> None:
    for first in (start(200, b"text/plain"), start(400, b"application/json")):
        messages = [first, body(b"x", True), body(b"")]
        assert await through(*messages) == messages


async def test_health_of_the_proxy_itself_is_left_alone() -> None:
    messages = [start(503, b"text/plain"), body(b"draining")]
    assert await through(*messages, path="/-/healthz") == messages


async def test_a_replica_that_dies_before_the_answer_is_an_error() -> None:
    sent = await through()
    assert sent[0]["status"] == 502 and error(sent)["code"] == "engine_died"


async def test_a_cut_stream_says_so_and_is_never_ended() -> None:
    sent = await through(start(200, b"text/event-stream"), body(b"data: {}\n\n", True))
    assert error(sent)["code"] == "engine_died"
    assert sent[-1]["more_body"] is True


async def test_a_whole_stream_gets_nothing_added() -> None:
    messages = [start(200, b"text/event-stream"), body(b"data: [DONE]\n\n", True), body(b"")]
    assert await through(*messages) == messages


def test_the_import_path_of_the_environment_leads_here() -> None:
    assert [one.cls for one in middlewares()] == [OpenAIShape]
