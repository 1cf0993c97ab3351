"""A plain answer out of the chunks of a stream."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.serving.engines.assemble import assemble, events
from zhengwu.serving.errors import EngineError, EngineRefused


async def lines(*rows: bytes) -> AsyncIterator[bytes]:
    for row in rows:
        yield row


def chunk(**choice: Any) -> bytes:
    whole = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "model": "m",
        "choices": [{"index": 0, **choice}],
    }
    return b"data: " + orjson.dumps(whole) + b"\n"


DONE = b"data: [DONE]\n"


async def whole(*rows: bytes) -> dict[str, Any]:
    return await assemble(events(lines(*rows)))


@given(parts=st.lists(st.text(), max_size=20))
async def test_text_is_joined_exactly(parts: list[str]) -> None:
    rows = [chunk(delta={"role": "assistant", "content": None})]
    rows += [chunk(delta={"content": part}) for part in parts]
    rows += [chunk(delta={}, finish_reason="stop"), DONE]
    answer = await whole(*rows)
    choice = answer["choices"][0]
    assert answer["object"] == "chat.completion"
    assert (choice["message"]["content"] or "") == "".join(parts)
    assert choice["finish_reason"] == "stop"


async def test_tool_calls_are_joined_by_index() -> None:
    def call(index: int, **fields: Any) -> bytes:
        return chunk(delta={"tool_calls": [{"index": index, **fields}]})

    answer = await whole(
        call(0, id="a", type="function", function={"name": "查询", "arguments": ""}),
        call(0, function={"arguments": '{"市":'}),
        call(1, id="b", function={"name": "时间", "arguments": "{}"}),
        call(0, function={"arguments": '"示范"}'}),
        DONE,
    )
    calls = answer["choices"][0]["message"]["tool_calls"]
    assert [one["function"]["name"] for one in calls] == ["查询", "时间"]
    assert calls[0]["function"]["arguments"] == '{"市":"示范"}'
    assert answer["choices"][0]["message"]["content"] is None


async def test_logprobs_and_usage_are_kept() -> None:
    usage = b'data: {"id":"c1","choices":[],"usage":{"total_tokens":9}}\n'
    answer = await whole(
        chunk(delta={"content": "是"}, logprobs={"content": [{"token": "是"}]}),
        chunk(delta={"content": "的"}, logprobs={"content": [{"token": "的"}]}),
        usage,
        DONE,
    )
    assert [t["token"] for t in answer["choices"][0]["logprobs"]["content"]] == ["是", "的"]
    assert answer["usage"] == {"total_tokens": 9}


async def test_plain_completions() -> None:
    row = b'data: {"object":"text_completion","choices":[{"index":0,"text":"a"}]}\n'
    answer = await whole(row, row, DONE)
    assert answer["choices"][0]["text"] == "aa" and answer["object"] == "text_completion"


async def test_a_stream_without_its_end_is_never_an_answer() -> None:
    with pytest.raises(EngineError):
        await whole(chunk(delta={"content": "半句"}))


@pytest.mark.parametrize("row", [b'error: {"message":"x"}\n', b'data: {"error":{"message":"x"}}\n'])
async def test_an_error_in_the_middle_is_an_error(row: bytes) -> None:
    with pytest.raises(EngineRefused, match="x"):
        await whole(chunk(delta={"content": "半句"}), row, DONE)
