"""What Ray Serve's proxy says in plain text, or leaves unsaid, reaches the client in shape."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

from zhengwu.serving import edge
from zhengwu.serving.edge import Again, OpenAIShape, Versions, middlewares
from zhengwu.serving.routes import Route, RouteTable, write_routes


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
    assert [one.cls for one in middlewares()] == [Versions, OpenAIShape, Again]


def replying(*answers: list[Message]) -> tuple[list[str], Any]:
    """An application that answers each call with the next of `answers`; and what it was asked."""
    asked: list[str] = []
    left = list(answers)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"] + " " + (await receive()).get("body", b"").decode())
        for message in left.pop(0):
            await send(message)

    return asked, app


async def run(app: Any, path: str = "/m/v1/x") -> list[Message]:
    sent: list[Message] = []
    given = [{"type": "http.request", "body": b"question", "more_body": False}]

    async def receive() -> Message:
        return given.pop(0) if given else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "http", "path": path}, receive, send)
    return sent


OK = [start(200, b"application/json"), body(b"{}")]


async def test_a_request_whose_replica_died_unheard_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edge, "WAITS_S", (0.0, 0.0))
    asked, app = replying([], OK)
    assert await run(OpenAIShape(Again(app))) == OK
    assert asked == ["/m/v1/x question"] * 2
    asked, app = replying([], [], [])
    assert error(await run(OpenAIShape(Again(app))))["code"] == "engine_died"
    assert len(asked) == 3
    begun = [start(200, b"text/event-stream"), body(b"data: {}\n\n", True)]
    asked, app = replying(begun)
    assert error(await run(OpenAIShape(Again(app))))["code"] == "engine_died"
    assert len(asked) == 1


async def test_the_route_says_which_version_answers(tmp_path: Path) -> None:
    file = tmp_path / "routes.json"
    table = RouteTable(file)
    asked, app = replying(OK, OK, OK)
    edge_app = Versions(app, table)
    await run(edge_app)
    write_routes(file, {"m": Route(application="m@1")})
    await run(edge_app)
    write_routes(file, {"m": Route(application="m@2")})
    await run(edge_app)
    assert [one.split()[0] for one in asked] == ["/m/v1/x", "/m@1/v1/x", "/m@2/v1/x"]
    write_routes(file, {"m": Route()})
    sent = await run(edge_app)
    assert sent[0]["status"] == 503 and error(sent)["code"] == "model_drained"
    assert dict(sent[0]["headers"])[b"retry-after"]


async def test_a_sleeping_model_is_well_and_is_not_asked(tmp_path: Path) -> None:
    file = tmp_path / "routes.json"
    asked, app = replying()
    edge_app = Versions(app, RouteTable(file))
    write_routes(file, {"m": Route(application="m@1", may_sleep=True, asleep=True)})
    assert (await run(edge_app, "/m/health"))[0]["status"] == 200
    assert orjson.loads((await run(edge_app, "/m/load"))[1]["body"])["ongoing"] == 0
    write_routes(file, {"m": Route(application="m@1", may_sleep=True, healthy=False)})
    assert (await run(edge_app, "/m/health"))[0]["status"] == 503
    assert asked == []
