"""One answer out of the chunks of a stream, for a client that did not ask for a stream.

llama.cpp goes on generating when the client of a plain request leaves, but stops when that of a
stream does; so the engine is always asked for a stream. Knows the OpenAI wire only.
"""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, cast

import orjson

from zhengwu.serving.errors import EngineError, EngineRefused

Json = dict[str, Any]


async def events(lines: AsyncIterable[bytes]) -> AsyncIterator[Json]:
    """The JSON of every `data:` line.

    Raises:
        EngineRefused: the engine reported an error in the middle.
        EngineError: the stream ended without `[DONE]`.
    """
    async for line in lines:
        name, _, data = line.strip().partition(b":")
        if name not in (b"data", b"error"):
            continue
        if data.strip() == b"[DONE]":
            return
        event = cast(Json, orjson.loads(data))
        if name == b"error" or "error" in event:
            error = event.get("error", event)
            raise EngineRefused(f"模型没有完成回答：{error.get('message')}", 500, "engine_failed")
        yield event
    raise EngineError("llama.cpp 在回答中断开，请重试。")


async def assemble(chunks: AsyncIterator[Json]) -> Json:
    """The whole `chat.completion` or `text_completion` that `chunks` are the parts of."""
    whole: Json = {}
    choices: dict[int, Json] = {}
    async for chunk in chunks:
        parts = cast(list[Json], chunk.pop("choices", []))
        whole |= {key: value for key, value in chunk.items() if value is not None}
        for part in parts:
            index = int(part["index"])
            _add(choices.setdefault(index, {"index": index}), part)
    whole["object"] = str(whole.get("object", "")).removesuffix(".chunk")
    whole["choices"] = [_finished(choices[index]) for index in sorted(choices)]
    return whole


def _add(choice: Json, part: Json) -> None:
    if part.get("finish_reason"):
        choice["finish_reason"] = part["finish_reason"]
    if part.get("text"):
        choice["text"] = choice.get("text", "") + part["text"]
    if part.get("logprobs"):
        kept = cast(Json, choice.setdefault("logprobs", {}))
        for key, rows in cast(Json, part["logprobs"]).items():
            kept.setdefault(key, []).extend(rows or [])
    delta = cast(Json, part.get("delta") or {})
    if "delta" in part:
        message = cast(Json, choice.setdefault("message", {"role": "assistant", "content": None}))
        for key, value in delta.items():
            if key == "tool_calls":
                for call in cast(list[Json], value):
                    _add_call(message.setdefault("tool_calls", []), call)
            elif key != "role" and value is not None:
                message[key] = (message.get(key) or "") + value


def _add_call(calls: list[Json], part: Json) -> None:
    index = int(part.get("index", len(calls)))
    while len(calls) <= index:
        calls.append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
    call = calls[index]
    call["id"] = part.get("id") or call["id"]
    function = cast(Json, part.get("function") or {})
    for key in ("name", "arguments"):
        call["function"][key] += function.get(key) or ""


def _finished(choice: Json) -> Json:
    empty: Json = {} if "message" in choice else {"text": ""}
    return {"finish_reason": None, **empty, **choice}
