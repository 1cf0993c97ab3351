"""A citizen's question as it comes in over HTTP, its limits checked."""

import unicodedata
from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from zhengwu.agents.qa.events import Question
from zhengwu.gateway.errors import QuestionEmpty, QuestionTooLong
from zhengwu.settings import Settings


class QuestionBody(BaseModel):
    """The body of `POST /api/qa`."""

    model_config = ConfigDict(extra="forbid")

    question: str
    kb: str | None = Field(None, min_length=1, max_length=64)
    region: str | None = Field(None, max_length=100)
    as_of: date | None = None
    conversation: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,32}$")


def to_question(body: QuestionBody, settings: Settings) -> Question:
    """The question to ask, with the settings' knowledge base and region where none is given.

    Raises:
        QuestionEmpty: nothing is left when control characters and white space are taken away.
        QuestionTooLong: more characters than the settings allow.
    """
    if len(body.question) > settings.max_question_chars:
        raise QuestionTooLong(
            f"问题共 {len(body.question)} 字，超过 {settings.max_question_chars} 字的上限，"
            "请精简后再问。"
        )
    text = clean(body.question)
    if not text:
        raise QuestionEmpty("问题为空，请输入您想咨询的事项。")
    return Question(
        text=text,
        kb=settings.kb if body.kb is None else clean(body.kb),
        region=settings.region if body.region is None else clean(body.region),
        as_of=body.as_of.isoformat() if body.as_of else None,
        conversation=body.conversation,
    )


def clean(text: str) -> str:
    """`text` without characters that nobody typed: control, zero-width, unpaired surrogates."""
    kept = (
        " " if char in "\t\r\n" else char
        for char in text
        if char in "\t\r\n" or unicodedata.category(char) not in {"Cc", "Cf", "Cs"}
    )
    return "".join(kept).strip()
