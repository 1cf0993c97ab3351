"""What is particular about one maker's OpenAI-compatible service, as data on its card.

Knows shapes only; `shape.py` applies them to requests, `normalise.py` to answers and
`verdict.py` to errors. Nothing is guessed: every quirk names the page that says so.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Meaning = Literal["overflow", "limited", "refused", "rejects", "busy"]
"""What an error means to us: longer than the context; too many requests; the upstream's own
content check; our key, balance or name of the model; overloaded, as a 503."""

CUT = "cut"
"""As a finish reason: the answer broke off, whatever the upstream calls it."""


class Told(BaseModel):
    """How errors of one meaning are told: by exact code or type, or by words in the message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    codes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


class Quirks(BaseModel):
    """The differences from OpenAI's own wire. The default is no difference."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reasoning: str = "reasoning_content"
    """The field with the model's reasoning; it goes out as `reasoning_content`."""
    usage: Literal["last", "every", "choice"] = "last"
    """Where a stream has the usage: in a last event (which must be asked for with
    `stream_options`), running in every event, or inside the last choice."""
    rename: Mapping[str, str] = {}
    """Parameter → what the upstream calls it."""
    within: Mapping[str, tuple[float, float]] = {}
    """Parameter → least and greatest value it takes; others are moved to the nearer end."""
    drop: tuple[str, ...] = ()
    """Parameters that it refuses."""
    whole: Mapping[str, JsonValue] = {}
    """Parameters it needs when the answer is not streamed."""
    finish: Mapping[str, str] = {}
    """Finish reason → OpenAI's word for it, or `cut`."""
    done: bool = True
    """Whether a stream ends with `data: [DONE]`."""
    told: Mapping[Meaning, Told] = {}
    sources: tuple[str, ...] = Field(default=())
    """The pages that say so."""

    @cached_property
    def marks(self) -> tuple[bytes, ...]:
        """Bytes one of which is in every event of an answer that has to be changed."""
        marks = [f'"{reason}"' for reason in self.finish]
        if self.reasoning != "reasoning_content":
            marks.append(f'"{self.reasoning}"')
        if self.usage != "last":
            marks.append('"usage"')
        return tuple(mark.encode() for mark in marks)

    @cached_property
    def changes_requests(self) -> bool:
        """Whether a request may have to be changed beyond the model's name."""
        return bool(self.rename or self.within or self.drop or self.whole)


PLAIN = Quirks(
    told={
        "overflow": Told(
            codes=("context_length_exceeded", "exceed_context_size_error"),
            words=(
                "maximum context length",
                "maximum model length",
                "context length exceeded",
                "exceeds the available context size",
            ),
        ),
        "limited": Told(codes=("rate_limit_exceeded",)),
        "refused": Told(codes=("content_filter", "content_policy_violation")),
        "rejects": Told(codes=("insufficient_quota", "invalid_api_key", "model_not_found")),
    },
    sources=(
        "https://platform.openai.com/docs/guides/error-codes",
        "https://github.com/vllm-project/vllm/blob/main/vllm/renderers/params.py",
        "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/server-common.cpp",
    ),
)
"""OpenAI's own wire, and what vLLM and llama.cpp say on it. Every upstream is read by it, too."""
