"""Requests and answers have the shape of the OpenAI wire."""

import orjson
import pytest
from pydantic import ValidationError

from zhengwu.models.errors import UpstreamFailed
from zhengwu.models.wire import (
    ChatRequest,
    JsonFormat,
    Message,
    Usage,
    error_message,
    parse_delta,
    parse_reply,
)

ASK = (Message(role="user", content="失业金怎么领"),)


def test_a_request_has_only_what_was_asked() -> None:
    body = orjson.loads(ChatRequest(messages=ASK).to_json(stream=False))
    assert body == {
        "model": "chat",
        "messages": [{"role": "user", "content": "失业金怎么领"}],
        "stream": False,
    }


def test_schema_logprobs_and_further_fields() -> None:
    request = ChatRequest(
        messages=ASK,
        response_format=JsonFormat(name="answer", shape={"type": "object"}),
        top_logprobs=5,
        stop=("。",),
        extra={"chat_template_kwargs": {"enable_thinking": False}},
    )
    body = orjson.loads(request.to_json(stream=True))
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert (body["logprobs"], body["top_logprobs"]) == (True, 5)
    assert body["stop"] == ["。"]
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("field", ["model", "messages", "stream"])
def test_further_fields_cannot_replace_ours(field: str) -> None:
    with pytest.raises(ValidationError):
        ChatRequest(messages=ASK, extra={field: "x"})


def test_delta_with_logprobs_reasoning_and_usage() -> None:
    delta = parse_delta(
        '{"model":"m","choices":[{"delta":{"content":"是","reasoning_content":"想"},'
        '"finish_reason":null,"logprobs":{"content":[{"token":"是","logprob":-0.1,'
        '"top_logprobs":[{"token":"否","logprob":-2.5}]}]}}],'
        '"usage":{"prompt_tokens":3,"completion_tokens":1}}'
    )
    assert (delta.text, delta.reasoning, delta.model) == ("是", "想", "m")
    assert delta.logprobs[0].top[0].token == "否"
    assert delta.usage == Usage(prompt_tokens=3, completion_tokens=1)


def test_a_delta_with_usage_alone() -> None:
    delta = parse_delta('{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}')
    assert delta.text == ""
    assert delta.usage


@pytest.mark.parametrize(
    "data", ['{"error":{"message":"坏了"}}', '{"error":"坏了"}', "not json", "[]", '{"choices":1}']
)
def test_an_error_or_nonsense_is_a_failure(data: str) -> None:
    with pytest.raises(UpstreamFailed):
        parse_delta(data)


def test_a_whole_answer_needs_a_choice() -> None:
    with pytest.raises(UpstreamFailed, match="choices"):
        parse_reply('{"choices":[]}')
    assert parse_reply('{"choices":[{"message":{"content":"好"}}]}').text == "好"


def test_error_messages_are_found_and_short() -> None:
    assert error_message(b'{"error":{"message":"' + b"x" * 999 + b'"}}') == "x" * 300
    assert error_message("{}") is None
    assert error_message('{"error":null}') is None
