"""How sure is it that a passage answers? The embedded reranker and the judge of answerability.

The chat model's log-probability of 是 against 否 (one token, after a prompt whose start is cached),
joined with what code measures. On a GPU a cross-encoder takes the model's part. Decided in code:
the model is never asked whether it may refuse.
"""

import math
from dataclasses import dataclass
from functools import cache

import yaml

from zhengwu.agents.qa.answer_type import fit
from zhengwu.agents.qa.aspect import aspect_fit
from zhengwu.agents.qa.chat import Chat
from zhengwu.agents.qa.passage import Passage
from zhengwu.agents.qa.prompt import messages
from zhengwu.agents.qa.replies import DATA
from zhengwu.models.wire import ChatRequest
from zhengwu.models.yes_no import TOP, yes_margin


@dataclass(frozen=True)
class Weights:
    """The logistic model, as reviewed data."""

    bias: float
    margin: float
    overlap: float
    fit: float
    lack: float
    aspect: float
    asked: float
    threshold: float
    sure: float


@dataclass(frozen=True)
class Verdict:
    """One passage judged."""

    probability: float
    margin: float
    prompt_tokens: int
    completion_tokens: int


class Judge:
    """Judges passages with the chat model."""

    def __init__(self, chat: Chat, model: str) -> None:
        self._chat = chat
        self._model = model

    async def judge(self, question: str, passage: Passage, grade: int) -> Verdict:
        """How sure it is that `passage` answers `question`."""
        asked = messages(
            "judge",
            question=question,
            title=passage.hit.document.title,
            label=passage.label,
            evidence=passage.core.strip(),
        )
        request = ChatRequest(
            messages=asked, model=self._model, temperature=0, max_tokens=1, top_logprobs=TOP
        )
        reply = await self._chat.complete(request, grade)
        margin = yes_margin(reply)
        usage = reply.usage
        return Verdict(
            probability(margin, question, passage),
            margin,
            usage.prompt_tokens if usage else 0,
            usage.completion_tokens if usage else 0,
        )


def probability(margin: float, question: str, passage: Passage) -> float:
    """The logistic model over the margin and what code measures."""
    weights = judge_weights()
    z = weights.bias + weights.margin * margin + weights.overlap * passage.overlap
    held = fit(question, passage.text)
    z += weights.fit * held if held > 0 else weights.lack * held
    z += (
        weights.aspect * passage.about * aspect_fit(question, passage.label)
        + weights.asked * passage.asked
    )
    return 1 / (1 + math.exp(-z))


@cache
def judge_weights() -> Weights:
    """The reviewed weights."""
    given = yaml.safe_load(DATA.joinpath("judge.yaml").read_text(encoding="utf-8"))
    given.pop("reviewed")
    return Weights(**given)
