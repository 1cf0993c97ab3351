"""From a body of the Responses API to one of chat completions. Knows no connection, no store."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from zhengwu.gateway.wire.errors import WrongParameter
from zhengwu.gateway.wire.responses.request import ResponsesBody, items_of, unsupported

Item = Mapping[str, Any]
Message = dict[str, Any]
TEXTS = frozenset({"input_text", "output_text", "text"})
CHOICES = ("auto", "none", "required")
ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}


def chat_body(body: ResponsesBody, before: Sequence[Item], stream: bool) -> dict[str, Any]:
    """The chat completion that answers `body` after the items `before` of earlier turns.

    Raises:
        WrongParameter, UnsupportedParameter: naming the place in the body.
    """
    messages: list[Message] = []
    if body.instructions:
        messages.append({"role": "system", "content": body.instructions})
    messages += messages_of(before, "previous_response_id", ())
    known = {str(item.get("call_id")) for item in before if item.get("type") == "function_call"}
    messages += messages_of(items_of(body), "input", known)
    if not any(message["role"] != "system" for message in messages):
        raise WrongParameter("input 不能为空，请给出要回答的内容。", "input")
    asked: dict[str, Any] = {
        "model": body.model,
        "messages": messages,
        "temperature": body.temperature,
        "top_p": body.top_p,
        "max_tokens": body.max_output_tokens,
        "tools": [_tool(at, tool) for at, tool in enumerate(body.tools)] or None,
        "tool_choice": _tool_choice(body.tool_choice) if body.tools else None,
        "parallel_tool_calls": body.parallel_tool_calls if body.tools else None,
        "response_format": _format(body),
        "reasoning_effort": body.reasoning.effort if body.reasoning else None,
    }
    if body.top_logprobs is not None or "message.output_text.logprobs" in (body.include or ()):
        asked |= {"logprobs": True, "top_logprobs": body.top_logprobs or 0}
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    return {name: value for name, value in asked.items() if value is not None}


def messages_of(items: Sequence[Item], where: str, known: Collection[str]) -> list[Message]:
    """The messages that `items` make. `known`: tool calls that earlier turns made."""
    messages: list[Message] = []
    calls = set(known)
    for at, item in enumerate(items):
        place = f"{where}[{at}]"
        kind = str(item.get("type") or "message")
        if kind == "message":
            messages.append(_message(item, place))
        elif kind == "function_call":
            calls.add(_text_of(item, "call_id", place))
            _add_call(messages, item, place)
        elif kind == "function_call_output":
            messages.append(_tool_answer(item, place, calls))
        elif kind != "reasoning":  # thoughts of earlier turns are not shown to the model again
            unsupported(
                f"{place}.type",
                f"不支持“{kind[:40]}”，可用：message、function_call、function_call_output、reasoning",
            )
    return messages


def _message(item: Item, place: str) -> Message:
    role = ROLES.get(str(item.get("role")))
    if role is None:
        raise WrongParameter(f"{place}.role 应为 {'、'.join(ROLES)} 之一。", f"{place}.role")
    return {"role": role, "content": _content(item.get("content"), f"{place}.content")}


def _content(content: object, place: str) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise WrongParameter(f"{place} 应为文本或内容数组。", place)
    parts = [_part(part, f"{place}[{at}]") for at, part in enumerate(content)]
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _part(part: Item, place: str) -> dict[str, Any]:
    kind = str(part.get("type"))
    if kind in TEXTS:
        return {"type": "text", "text": _text_of(part, "text", place)}
    if kind == "refusal":
        return {"type": "text", "text": _text_of(part, "refusal", place)}
    if kind != "input_image":
        unsupported(f"{place}.type", "可用：input_text、output_text、refusal、input_image")
    url = part.get("image_url")
    if not isinstance(url, str) or not url.startswith("data:image/"):
        # An engine that fetched an address would open a connection that nobody checked.
        raise WrongParameter(
            f"{place}.image_url 只接受 data:image/… 内嵌图片。", f"{place}.image_url"
        )
    return {"type": "image_url", "image_url": {"url": url}}


def _add_call(messages: list[Message], item: Item, place: str) -> None:
    """Calls of one turn, and the text before them, are one message of the assistant."""
    call = {
        "id": _text_of(item, "call_id", place),
        "type": "function",
        "function": {
            "name": _text_of(item, "name", place),
            "arguments": _text_of(item, "arguments", place),
        },
    }
    if messages and messages[-1]["role"] == "assistant":
        messages[-1].setdefault("tool_calls", []).append(call)
    else:
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})


def _tool_answer(item: Item, place: str, calls: set[str]) -> Message:
    call_id = _text_of(item, "call_id", place)
    if call_id not in calls:
        raise WrongParameter(
            f"{place}.call_id 没有对应的 function_call，请一并传入或用 previous_response_id 接续。",
            f"{place}.call_id",
        )
    output = item.get("output")
    if not isinstance(output, str):
        output = _content(output, f"{place}.output")
        if not isinstance(output, str):
            unsupported(f"{place}.output", "工具结果只支持文本")
    return {"role": "tool", "tool_call_id": call_id, "content": output}


def _tool(at: int, tool: Item) -> dict[str, Any]:
    if tool.get("type") != "function":
        unsupported(f"tools[{at}].type", "只支持 function；检索和联网工具请登记为助手的能力")
    names = ("name", "description", "parameters", "strict")
    function = {name: tool[name] for name in names if tool.get(name) is not None}
    if not isinstance(function.get("name"), str):
        raise WrongParameter(f"tools[{at}].name 不能为空。", f"tools[{at}].name")
    return {"type": "function", "function": function}


def _tool_choice(choice: str | Item | None) -> str | dict[str, Any] | None:
    if choice is None or (isinstance(choice, str) and choice in CHOICES):
        return choice
    if isinstance(choice, Mapping) and choice.get("type") == "function" and choice.get("name"):
        return {"type": "function", "function": {"name": choice["name"]}}
    return unsupported("tool_choice", "可用：auto、none、required 或 {type: function, name}")


def _format(body: ResponsesBody) -> dict[str, Any] | None:
    form = body.text.format if body.text else None
    kind = form.get("type") if form else "text"
    if form is None or kind == "text":
        return None
    if kind == "json_object":
        return {"type": "json_object"}
    if kind != "json_schema":
        unsupported("text.format.type", "可用：text、json_object、json_schema")
    if not isinstance(form.get("schema"), dict) or not form.get("name"):
        raise WrongParameter("text.format 要有 name 和 schema。", "text.format")
    names = ("name", "description", "schema", "strict")
    schema = {name: form[name] for name in names if form.get(name) is not None}
    return {"type": "json_schema", "json_schema": schema}


def _text_of(item: Item, name: str, place: str) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise WrongParameter(f"{place}.{name} 应为文本。", f"{place}.{name}")
    return value


def as_json(body: Mapping[str, Any]) -> bytes:
    """The bytes of a body.

    Raises:
        WrongParameter: a number in it is too large.
    """
    try:
        return orjson.dumps(dict(body))
    except orjson.JSONEncodeError as error:
        raise WrongParameter("请求里有超出范围的数值或无效字符，请检查后重试。") from error
