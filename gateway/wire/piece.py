"""One piece of a chat completion, streamed or whole, as values. Opens no connection."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from zhengwu.models.errors import UpstreamFailed


@dataclass(frozen=True)
class CallPiece:
    """A piece of a tool call; `index` tells parallel calls apart."""

    index: int
    call_id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True)
class Spend:
    """Tokens as the upstream counted them."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class Piece:
    """What one event of a stream, or a whole answer, says of the first choice."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: tuple[CallPiece, ...] = ()
    finish: str | None = None
    logprobs: tuple[Mapping[str, Any], ...] = ()
    spend: Spend | None = None
    model: str = ""


def read_piece(data: str | bytes) -> Piece:
    """The piece that one event, or one whole answer, holds.

    Raises:
        UpstreamFailed: it is not what the wire allows.
    """
    try:
        return _piece(orjson.loads(data))
    except (orjson.JSONDecodeError, TypeError, ValueError, AttributeError, KeyError) as error:
        raise UpstreamFailed("上游的回答不符合 OpenAI 接口格式，请联系运维检查上游") from error


def _piece(body: Mapping[str, Any]) -> Piece:
    choices = [c for c in body.get("choices") or () if c.get("index", 0) == 0]
    choice: Mapping[str, Any] = choices[0] if choices else {}
    content: Mapping[str, Any] = choice.get("delta") or choice.get("message") or {}
    usage = body.get("usage")
    return Piece(
        text=str(content.get("content") or ""),
        reasoning=str(content.get("reasoning_content") or content.get("reasoning") or ""),
        refusal=str(content.get("refusal") or ""),
        calls=tuple(_call(at, call) for at, call in enumerate(content.get("tool_calls") or ())),
        finish=choice.get("finish_reason"),
        logprobs=tuple((choice.get("logprobs") or {}).get("content") or ()),
        spend=_spend(usage) if usage else None,
        model=str(body.get("model") or ""),
    )


def _call(at: int, call: Mapping[str, Any]) -> CallPiece:
    function: Mapping[str, Any] = call.get("function") or {}
    return CallPiece(
        index=int(call.get("index", at)),
        call_id=str(call.get("id") or ""),
        name=str(function.get("name") or ""),
        arguments=str(function.get("arguments") or ""),
    )


def _spend(usage: Mapping[str, Any]) -> Spend:
    prompt: Mapping[str, Any] = usage.get("prompt_tokens_details") or {}
    output: Mapping[str, Any] = usage.get("completion_tokens_details") or {}
    return Spend(
        input=int(usage.get("prompt_tokens") or 0),
        output=int(usage.get("completion_tokens") or 0),
        cached=int(prompt.get("cached_tokens") or 0),
        reasoning=int(output.get("reasoning_tokens") or 0),
    )
