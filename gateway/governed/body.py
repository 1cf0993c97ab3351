"""A request's body, parsed once and checked by hand: what the governed path itself relies on.

Everything else passes: what a model accepts is the upstream's business. No schema library here;
a list of messages is looked at in microseconds.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson

from zhengwu.gateway.errors import BadBody, NotJson

MAX_NAME = 200
MAX_MESSAGES = 4096
MAX_INPUTS = 4096
MAX_TOKENS = 10_000_000
MAX_CHOICES = 64

Fields = dict[str, Any]


def read_body(path: str, body: bytes) -> Fields:
    """The JSON object in `body`, fit for `path` (`chat/completions`, `embeddings`, …).

    Raises:
        NotJson: it is not JSON.
        BadBody: it is no object, or a field is not what the path takes; the message names it.
    """
    try:
        fields: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotJson("请求体不是有效的 JSON，请检查后重试。") from error
    if not isinstance(fields, dict):
        raise BadBody("请求体应为 JSON 对象，例如 {“model”: “chat”, …}。")
    given = cast(Fields, fields)
    _check_model(given)
    CHECKS.get(path, _anything)(given)
    return given


def _check_model(fields: Fields) -> None:
    model = fields.get("model")
    if model is None:
        raise _bad("缺少 model，应为模型名，如 chat")
    if not isinstance(model, str) or not 0 < len(model) <= MAX_NAME:
        raise _bad(f"model 应为 1 至 {MAX_NAME} 字的模型名")


def _check_chat(fields: Fields) -> None:
    messages = fields.get("messages")
    if messages is None:
        raise _bad("缺少 messages")
    if not isinstance(messages, list) or not messages:
        raise _bad("messages 应为非空的消息列表")
    listed = cast(list[object], messages)
    if len(listed) > MAX_MESSAGES:
        raise _bad(f"messages 最多 {MAX_MESSAGES} 条，本次 {len(listed)} 条")
    for at, message in enumerate(listed):
        if not isinstance(message, dict):
            raise _bad(f"messages.{at} 应为对象，含 role 和 content")
    _check_shared(fields)


def _check_prompt(fields: Fields) -> None:
    prompt = fields.get("prompt")
    if prompt is not None and not isinstance(prompt, str | list):
        raise _bad("prompt 应为文本或列表")
    _check_shared(fields)


def _check_shared(fields: Fields) -> None:
    if not isinstance(fields.get("stream"), bool | None):
        raise _bad("stream 应为 true 或 false")
    options = fields.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise _bad("stream_options 应为对象")
    _check_count(fields, "max_tokens", MAX_TOKENS)
    _check_count(fields, "max_completion_tokens", MAX_TOKENS)
    _check_count(fields, "n", MAX_CHOICES)


def _check_count(fields: Fields, name: str, most: int) -> None:
    value = fields.get(name)
    if value is not None and (type(value) is not int or not 0 < value <= most):
        raise _bad(f"{name} 应为 1 至 {most} 的整数")


def _check_embeddings(fields: Fields) -> None:
    given = fields.get("input")
    if given is None:
        raise _bad("缺少 input")
    if isinstance(given, str):
        return
    if not isinstance(given, list) or not given:
        raise _bad("input 应为文本或非空列表")
    listed = cast(list[object], given)
    first = type(listed[0])
    if first not in (str, int, list) or any(type(item) is not first for item in listed):
        raise _bad("input 应为文本列表，或词元编号的列表")
    if first is not int and len(listed) > MAX_INPUTS:
        raise _bad(f"input 最多 {MAX_INPUTS} 条，本次 {len(listed)} 条")


def _anything(fields: Fields) -> None:
    """A path of which the governed path relies on nothing but the model's name."""


CHECKS: Mapping[str, Callable[[Fields], None]] = {
    "chat/completions": _check_chat,
    "completions": _check_prompt,
    "embeddings": _check_embeddings,
}


def _bad(told: str) -> BadBody:
    return BadBody(f"请求参数有误：{told}。")
