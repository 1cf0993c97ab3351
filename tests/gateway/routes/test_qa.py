"""`/api/qa`: numbered events, honest endings, and nothing left running when the reader leaves."""

import asyncio
import json
from typing import Any

import pytest
from pydantic import TypeAdapter
from tests.gateway.citizen import ANSWER, RETRACTED, SOURCE, START
from tests.gateway.conftest import Running

from zhengwu.agents.qa.events import Done, Event, Status
from zhengwu.gateway import stream
from zhengwu.gateway.errors import INTERNAL
from zhengwu.models.errors import UpstreamDown

EVENT: TypeAdapter[Event] = TypeAdapter(Event)


def parse(text: str) -> list[tuple[int, str, Event]]:
    found: list[tuple[int, str, Event]] = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        if fields:
            event = EVENT.validate_json(fields["data"])
            found.append((int(fields["id"]), fields["event"], event))
    return found


async def ask(gateway: Running, **body: Any) -> list[tuple[int, str, Event]]:
    async with gateway.http.post(gateway.url + "/api/qa", json=body) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.headers["cache-control"] == "no-store"
        return parse(await answer.text())


async def test_events_are_numbered_and_whole(gateway: Running) -> None:
    got = await ask(gateway, question="居住证多久能办好？")
    assert [number for number, _, _ in got] == [1, 2, 3, 4, 5]
    assert [name for _, name, _ in got] == ["start", "sources", "sentence", "sentence", "done"]
    assert tuple(event for _, _, event in got) == ANSWER
    assert got[1][2].sources[0] == SOURCE  # type: ignore[union-attr]  # pyright: ignore


async def test_what_is_not_given_comes_from_the_settings(gateway: Running) -> None:
    await ask(gateway, question=" 居住证\u0000多久\u200b办好？\n", as_of="2024-06-01")
    await ask(gateway, question="问", kb="other", region="", conversation="c1")
    first, second = gateway.asker.asked
    assert (first.text, first.as_of) == ("居住证多久办好？", "2024-06-01")
    assert (first.kb, first.region) == ("starter", "示范省/示范市")
    assert (second.kb, second.region, second.conversation) == ("other", "", "c1")


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        ({"question": ""}, 422, "question_empty", "问题为空"),
        ({"question": "\u0000\u0007 \u200b\n\t"}, 422, "question_empty", "问题为空"),
        ({"question": "长" * 100_000}, 413, "question_too_long", "100000 字，超过 2000 字"),
        ({"question": "问", "as_of": "昨天"}, 422, "bad_request", "as_of"),
        ({"question": "问", "conversation": "../x"}, 422, "bad_request", "conversation"),
        ({"question": "问", "kb": "没有"}, 404, "unknown_kb", "现有：starter"),
        ({"question": 3}, 422, "bad_request", "question"),
        ({"question": "问", "mood": 1}, 422, "bad_request", "不认识的字段 mood"),
        ({}, 422, "bad_request", "缺少 question"),
    ],
)
async def test_bad_questions_are_told_in_chinese(
    gateway: Running, body: dict[str, Any], status: int, code: str, words: str
) -> None:
    got, told, _ = await gateway.post("/api/qa", json=body, headers={"x-request-id": "test-0001"})
    assert got == status
    assert told["error"]["code"] == code
    assert words in told["error"]["message"]
    assert told["error"]["request_id"] == "test-0001"


async def test_lone_surrogates_do_not_break_it(gateway: Running) -> None:
    raw = b'{"question": "\\ud800\\u5c45\\u4f4f\\u8bc1"}'
    headers = {"content-type": "application/json"}
    async with gateway.http.post(f"{gateway.url}/api/qa", data=raw, headers=headers) as answer:
        assert answer.status in {200, 400, 422}
        assert "Traceback" not in await answer.text()


async def test_a_path_that_fails_half_way_still_ends_with_done(gateway: Running) -> None:
    for failure, reason, text in (
        (UpstreamDown("连不上上游"), "upstream_down", "连不上上游"),
        (RuntimeError("secret detail"), "internal", INTERNAL),
    ):
        gateway.asker.events = (*ANSWER[:3], failure)
        number, name, last = (await ask(gateway, question="问"))[-1]
        assert (number, name) == (4, "done")
        assert isinstance(last, Done) and last.status is Status.FAILED
        assert (last.reason, last.text) == (reason, text)
        assert last.next_steps[0].value == "12345"


async def test_a_path_that_fails_at_once_is_an_http_error(gateway: Running) -> None:
    gateway.asker.events = (RuntimeError("secret detail"),)
    status, body, _ = await gateway.post("/api/qa", json={"question": "问"})
    assert status == 500
    assert body["error"]["message"] == INTERNAL
    assert "secret" not in json.dumps(body)


async def test_retractions_pass(gateway: Running) -> None:
    gateway.asker.events = RETRACTED
    assert [name for _, name, _ in await ask(gateway, question="问")][-2:] == ["retract", "done"]


async def test_silence_is_kept_alive(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream.EventStream.__init__, "__defaults__", (0.05,))
    gateway.asker.pause_s = 0.2
    async with gateway.http.post(f"{gateway.url}/api/qa", json={"question": "问"}) as answer:
        text = await answer.text()
    assert text.count(": keep-alive\n\n") >= len(ANSWER)
    assert [number for number, _, _ in parse(text)] == [1, 2, 3, 4, 5]


async def test_a_citizen_who_leaves_ends_the_path(gateway: Running) -> None:
    gateway.asker.events, gateway.asker.pause_s = (START, *ANSWER[1:]), 30
    async with gateway.http.post(f"{gateway.url}/api/qa", json={"question": "问"}) as answer:
        await answer.content.readuntil(b"\n\n")
        assert not gateway.asker.closed.is_set()
    async with asyncio.timeout(3):
        await gateway.asker.closed.wait()
    async with gateway.http.get(f"{gateway.url}/metrics") as metrics:
        text = await metrics.text()
    assert 'zhengwu_answers_total{status="left"} 1.0' in text
    assert "zhengwu_open_streams 0.0" in text
