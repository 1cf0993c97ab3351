"""The body of `POST /v1/responses`: what it may say. What is not offered is named, not ignored.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field

from zhengwu.gateway.wire.errors import UnsupportedParameter, WrongParameter

MAX_ITEMS, MAX_TOOLS = 2000, 128
HINTS = frozenset({"prompt_cache_key", "safety_identifier", "user", "service_tier"})
"""Told to nobody: they neither change the answer nor leave the gateway."""
INCLUDABLE = frozenset({"message.output_text.logprobs", "reasoning.encrypted_content"})
"""Encrypted reasoning is accepted because official clients ask for it; there is none here."""


class Strict(BaseModel):
    """A part of the body; what it does not know is refused by name in `check`."""

    model_config = ConfigDict(extra="allow")

    def further(self) -> Mapping[str, Any]:
        """The fields that this shape does not know, nulls left out."""
        return {k: v for k, v in (self.model_extra or {}).items() if v is not None}


class Reasoning(Strict):
    """How much the model shall think."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None


class Text(Strict):
    """What shape the text shall have."""

    format: dict[str, Any] | None = None


class StreamOptions(Strict):
    """Options of a stream. Obfuscation pads events; ours are not padded."""

    include_obfuscation: bool | None = None
    include_usage: bool | None = None


class ResponsesBody(Strict):
    """The body."""

    model: str = Field(min_length=1, max_length=200)
    input: str | list[dict[str, Any]] = Field(default="", max_length=400_000)
    instructions: str | None = None
    previous_response_id: str | None = Field(default=None, max_length=80)
    max_output_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    tools: list[dict[str, Any]] = Field(default=[], max_length=MAX_TOOLS)
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: Text | None = None
    reasoning: Reasoning | None = None
    metadata: dict[str, str] | None = Field(default=None, max_length=16)
    include: list[str] | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    background: bool | None = None
    truncation: Literal["auto", "disabled"] | None = None

    @property
    def keeps(self) -> bool:
        """Whether the response is stored: unless the caller says no."""
        return self.store is not False

    def check(self) -> None:
        """Refuse what is not offered.

        Raises:
            UnsupportedParameter: names it.
            WrongParameter: names a value that cannot be.
        """
        for name in self._further():
            unsupported(name)
        if self.truncation == "auto":
            unsupported("truncation", "本平台不会自动截断输入，请改为 disabled 并自行精简内容")
        for wanted in self.include or ():
            if wanted not in INCLUDABLE:
                unsupported("include", f"可选：{'、'.join(sorted(INCLUDABLE))}")
        if self.background and not self.keeps:
            raise WrongParameter("后台任务必须保存结果，请去掉 store: false。", "store")
        if isinstance(self.input, list) and len(self.input) > MAX_ITEMS:
            raise WrongParameter(f"input 最多 {MAX_ITEMS} 项，请精简。", "input")
        if any(len(k) > 64 or len(v) > 512 for k, v in (self.metadata or {}).items()):
            raise WrongParameter("metadata 的键最长 64 字、值最长 512 字。", "metadata")

    def _further(self) -> Iterator[str]:
        parts: list[tuple[str, Strict | None]] = [
            ("", self),
            ("reasoning.", self.reasoning),
            ("text.", self.text),
            ("stream_options.", self.stream_options),
        ]
        for where, part in parts:
            for name in part.further() if part else ():
                if where or name not in HINTS:
                    yield f"{where}{name}"


def unsupported(name: str, remedy: str = "请去掉后重试") -> NoReturn:
    """Refuse the parameter `name`.

    Raises:
        UnsupportedParameter: always.
    """
    raise UnsupportedParameter(f"不支持参数 {name[:100]}：{remedy}。", name[:100])


def items_of(body: ResponsesBody) -> Sequence[Mapping[str, Any]]:
    """The input as items; text is one message of the user."""
    if isinstance(body.input, str):
        return [{"type": "message", "role": "user", "content": body.input}] if body.input else []
    return body.input
