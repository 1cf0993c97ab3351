"""What a citizen's question sends out, in order: the contract between the path and its readers.

`start`, then `sources`, then `sentence`s, perhaps `retract`, and always `done` last.
Knows nothing of HTTP; `gateway/routes/qa.py` turns these into server-sent events.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Status(StrEnum):
    """How a question ended. Refusing well is a result, never an exception."""

    ANSWERED = "answered"
    ANSWERED_FAQ = "answered_faq"
    CLARIFY = "clarify"
    NO_SOURCE = "no_source"
    OUT_OF_SCOPE = "out_of_scope"
    UNSAFE = "unsafe"
    SENSITIVE = "sensitive"
    CRISIS = "crisis"
    HANDED_OVER = "handed_over"
    FAILED = "failed"


class Frozen(BaseModel):
    """A value that crosses a package border."""

    model_config = ConfigDict(frozen=True)


class Question(Frozen):
    """A question as it came in, limits checked."""

    text: str
    kb: str
    region: str | None = None
    as_of: str | None = None
    """ISO date the answer should hold for; None is today."""
    conversation: str | None = None


class Source(Frozen):
    """One clause that the answer may lean on. `ref` is the number it is shown under: [1]."""

    ref: int
    doc_id: str
    title: str
    clause_id: str
    path: str
    quote: str
    organ: str | None = None
    document_number: str | None = None
    region: str | None = None
    status: str = "现行有效"
    effective_from: str | None = None


class Citation(Frozen):
    """A quotation, equal character by character to a stretch of the stored clause."""

    ref: int
    doc_id: str
    doc: str
    clause_id: str
    clause: str
    quote: str


class NextStep(Frozen):
    """Where to go when there is no answer, or after it."""

    kind: Literal["phone", "link", "window", "human"]
    label: str
    value: str


class Start(Frozen):
    """First event: what this is, and that a machine writes it."""

    event: Literal["start"] = "start"
    answer_id: str
    conversation: str
    ai_label: str


class Sources(Frozen):
    """The clauses found, before any sentence is written."""

    event: Literal["sources"] = "sources"
    sources: tuple[Source, ...]


class Sentence(Frozen):
    """One checked sentence. `quoted`: the words are the clause's own, not the model's."""

    event: Literal["sentence"] = "sentence"
    sentence_id: int
    text: str
    citations: tuple[Citation, ...] = ()
    quoted: bool = False


class Retract(Frozen):
    """Take back sentences already shown."""

    event: Literal["retract"] = "retract"
    sentence_ids: tuple[int, ...]
    reason: str


class Done(Frozen):
    """Last event, always. `text` is what to show when there are no sentences."""

    event: Literal["done"] = "done"
    status: Status
    reason: str = ""
    text: str = ""
    confidence: float = 0.0
    """How sure the judge was of the best passage, from 0 to 1; 0 where none was judged."""
    next_steps: tuple[NextStep, ...] = ()
    timings: dict[str, float] = Field(default_factory=dict)
    """Milliseconds by step, and `first_source`, `first_token`, `total`."""
    tokens: dict[str, int] = Field(default_factory=dict)


Event = Annotated[Start | Sources | Sentence | Retract | Done, Field(discriminator="event")]
