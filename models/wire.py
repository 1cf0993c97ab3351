"""Chat and embedding values, and their shape on the OpenAI wire. Opens no connection.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Mapping
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator

from zhengwu.models.errors import UpstreamFailed


class Frozen(BaseModel):
    """A value that crosses a package border."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Frozen):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str


class JsonFormat(Frozen):
    """The answer must be JSON of this schema: the engine is held to it while it writes."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    shape: Mapping[str, JsonValue]
    """The JSON schema."""


class ChatRequest(Frozen):
    """What to ask. `model` is the name of a route."""

    messages: tuple[Message, ...] = Field(min_length=1)
    model: str = "chat"
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    seed: int | None = None
    stop: tuple[str, ...] = ()
    response_format: JsonFormat | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    """None: no log-probabilities. 0: those of the chosen tokens. n: and of the n likeliest."""
    extra: Mapping[str, JsonValue] = {}
    """Further fields for the engine, for instance `chat_template_kwargs`."""

    @field_validator("extra")
    @classmethod
    def _only_further(cls, value: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        if taken := value.keys() & {"model", "messages", "stream", "stream_options"}:
            raise ValueError(f"`extra` may not replace {sorted(taken)}")
        return value

    def to_json(self, stream: bool) -> bytes:
        """Return the body of the request."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [message.model_dump() for message in self.messages],
            "stream": stream,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "stop": list(self.stop) or None,
        }
        if stream:
            body["stream_options"] = {"include_usage": True}
        if self.response_format:
            form = {"name": self.response_format.name, "strict": True}
            schema = {**form, "schema": dict(self.response_format.shape)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if self.top_logprobs is not None:
            body |= {"logprobs": True, "top_logprobs": self.top_logprobs}
        return orjson.dumps({k: v for k, v in body.items() if v is not None} | dict(self.extra))


class Alternative(Frozen):
    """A token that could have stood there. `logprob` is natural."""

    token: str
    logprob: float


class TokenLogprob(Frozen):
    """A token that was chosen, and the likeliest ones at its place."""

    token: str
    logprob: float
    top: tuple[Alternative, ...] = ()


class Usage(Frozen):
    """Tokens used."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class ChatDelta(Frozen):
    """One piece of a streamed answer."""

    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    usage: Usage | None = None
    model: str = ""


class ChatReply(ChatDelta):
    """A whole answer."""


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Token(_Loose):
    token: str
    logprob: float
    top_logprobs: list["_Token"] = []


class _Logprobs(_Loose):
    content: list[_Token] | None = None


class _Content(_Loose):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(_Loose):
    delta: _Content | None = None
    message: _Content | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(_Loose):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Answer(_Loose):
    model: str | None = None
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: JsonValue = None


def parse_delta(data: str | bytes) -> ChatDelta:
    """Return one streamed piece.

    Raises:
        UpstreamFailed: it is an error, or not what the wire allows.
    """
    return ChatDelta.model_validate(_fields(data))


def parse_reply(data: str | bytes) -> ChatReply:
    """Return a whole answer.

    Raises:
        UpstreamFailed: it is an error, has no choice, or is not what the wire allows.
    """
    return ChatReply.model_validate(_fields(data, whole=True))


def error_message(data: str | bytes) -> str | None:
    """Return the message of an answer that is an error; None if it is not one."""
    try:
        body: object = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    error = body.get("error") if isinstance(body, dict) else None
    if not error:
        return None
    message: object = error.get("message") if isinstance(error, dict) else error
    return str(message)[:300]


def _fields(data: str | bytes, whole: bool = False) -> dict[str, Any]:
    if (message := error_message(data)) is not None:
        raise UpstreamFailed(f"上游报告错误：{message}")
    try:
        answer = _Answer.model_validate_json(data)
    except ValidationError as error:
        raise UpstreamFailed(f"上游的回答不符合 OpenAI 接口格式：{error}") from error
    if whole and not (answer.choices and answer.choices[0].message):
        raise UpstreamFailed("上游的回答里没有 choices")
    choice = answer.choices[0] if answer.choices else _Choice()
    content = choice.delta or choice.message or _Content()
    tokens = (choice.logprobs.content if choice.logprobs else None) or []
    usage = answer.usage
    return {
        "text": content.content or "",
        "reasoning": content.reasoning_content or content.reasoning or "",
        "finish_reason": choice.finish_reason,
        "logprobs": tuple(_token(token) for token in tokens),
        "usage": Usage(
            prompt_tokens=usage.prompt_tokens or 0, completion_tokens=usage.completion_tokens or 0
        )
        if usage
        else None,
        "model": answer.model or "",
    }


def _token(token: _Token) -> TokenLogprob:
    top = tuple(Alternative(token=t.token, logprob=t.logprob) for t in token.top_logprobs)
    return TokenLogprob(token=token.token, logprob=token.logprob, top=top)
