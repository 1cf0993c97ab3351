"""Bodies are checked by hand; estimates are ceilings; the meter reads what upstreams tell."""

import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.governed.ground import DONE, STREAM, USAGE, USAGE_EVENT

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.errors import BadBody
from zhengwu.gateway.governed import estimate
from zhengwu.gateway.governed.body import read_body
from zhengwu.gateway.governed.meter import LARGE, Meter

CHAT, EMBED = "chat/completions", "embeddings"
MESSAGES = [{"role": "user", "content": "问"}]


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (CHAT, {}, "缺少 model"),
        (CHAT, {"model": ""}, "model 应为"),
        (CHAT, {"model": 3}, "model 应为"),
        (CHAT, {"model": "m"}, "缺少 messages"),
        (CHAT, {"model": "m", "messages": "您好"}, "messages 应为"),
        (CHAT, {"model": "m", "messages": [1]}, "messages.0"),
        (CHAT, {"model": "m", "messages": [{}] * 5000}, "最多 4096 条，本次 5000"),
        (CHAT, {"model": "m", "messages": MESSAGES, "stream": 1}, "stream"),
        (CHAT, {"model": "m", "messages": MESSAGES, "stream_options": []}, "stream_options"),
        (CHAT, {"model": "m", "messages": MESSAGES, "max_tokens": 0}, "max_tokens"),
        (CHAT, {"model": "m", "messages": MESSAGES, "max_tokens": True}, "max_tokens"),
        (CHAT, {"model": "m", "messages": MESSAGES, "n": 65}, "n 应为 1 至 64"),
        (EMBED, {"model": "m"}, "缺少 input"),
        (EMBED, {"model": "m", "input": []}, "input 应为"),
        (EMBED, {"model": "m", "input": ["一", 2]}, "input 应为"),
        (EMBED, {"model": "m", "input": ["一"] * 4097}, "最多 4096"),
        ("completions", {"model": "m", "prompt": 3}, "prompt"),
    ],
)
def test_what_is_wrong_is_named(path: str, body: dict[str, Any], words: str) -> None:
    with pytest.raises(BadBody, match=words):
        read_body(path, orjson.dumps(body))


@given(st.sampled_from([CHAT, EMBED, "completions", "rerank"]), st.binary(max_size=60))
def test_nothing_but_known_errors_comes_out(path: str, body: bytes) -> None:
    try:
        read_body(path, body)
    except ZhengwuError as error:
        assert str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


NAMES = ("model", "messages", "input", "stream", "stream_options", "max_tokens", "n")


@given(st.sampled_from([CHAT, EMBED]), st.dictionaries(st.sampled_from(NAMES), JSON))
def test_any_json_is_read_or_refused(path: str, body: dict[str, Any]) -> None:
    try:
        fields = read_body(path, orjson.dumps(body))
    except ZhengwuError:
        return
    assert estimate.input_tokens(fields) >= 0
    assert estimate.output_tokens(path, fields, 4096) >= 0


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("居住证", 3, 4),
        ("居住证A1", 4, 5),
        ("word " * 100, 250, 250),
        ("é" * 10, 5, 10),
        ("😀" * 10, 10, 20),
        ("data:image/png;base64," + "A" * 90_000, 1024, 1024),
    ],
)
def test_tokens_by_script(text: str, least: int, most: int) -> None:
    assert least <= estimate.tokens_of(text) <= most


def test_output_is_what_the_request_allows() -> None:
    assert estimate.output_tokens(CHAT, {}, None) == estimate.DEFAULT_OUTPUT
    assert estimate.output_tokens(CHAT, {"max_tokens": 10, "n": 3}, None) == 30
    assert estimate.output_tokens(CHAT, {"max_completion_tokens": 9000}, 4096) == 4096
    assert estimate.output_tokens(EMBED, {"max_tokens": 10}, None) == 0
    assert estimate.input_tokens([[1, 2, 3], [4]]) == 4


def test_usage_of_a_large_answer_is_read_from_its_end() -> None:
    vectors = [[0.5] * 40_000]
    for body in (
        {"data": vectors, "usage": USAGE, "id": "e1"},
        {"usage": USAGE, "data": []},
        {"data": vectors, "usage": {"total_tokens": 7}},
    ):
        meter = Meter(time.perf_counter())
        meter.whole(orjson.dumps(body))
        assert meter.input == 7 and meter.done
    assert len(orjson.dumps(vectors)) > LARGE


def test_an_answer_that_is_no_json_has_no_usage() -> None:
    for body in (b"", b"[]", b"not json", b"x" * (LARGE + 1) + b'"usage"'):
        meter = Meter(time.perf_counter())
        meter.whole(body)
        assert meter.input is None


@given(st.lists(st.sampled_from([*STREAM[:3], USAGE_EVENT, DONE]), max_size=8))
def test_what_the_client_sees_is_what_came_but_for_the_usage(events: list[bytes]) -> None:
    shown = Meter(0.0, hide_usage=True).events(b"".join(events))
    assert shown == b"".join(event for event in events if event != USAGE_EVENT)
    assert Meter(0.0).events(b"".join(events)) == b"".join(events)
