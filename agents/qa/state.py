"""The state of one question on its way through the steps. Each step returns a changed copy."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from zhengwu.agents.qa.events import Event, NextStep, Question, Sentence, Source, Status
from zhengwu.agents.qa.judge import Verdict
from zhengwu.agents.qa.passage import Passage
from zhengwu.rag.knowledge import Hit

Emit = Callable[[Event], None]


@dataclass(frozen=True)
class Judged:
    """A passage and what was judged of it."""

    passage: Passage
    verdict: Verdict


@dataclass(frozen=True)
class State:
    """Everything known of one question so far."""

    question: Question
    answer_id: str
    conversation: str
    grade: int = 1
    rewritten: tuple[str, ...] = ()
    """Other words for the question, as the model gave them."""
    hits: tuple[Hit, ...] = ()
    sources: tuple[Source, ...] = ()
    judged: tuple[Judged, ...] = ()
    sentences: tuple[Sentence, ...] = ()
    status: Status | None = None
    reason: str = ""
    next_steps: tuple[NextStep, ...] = ()
    tokens: dict[str, int] = field(default_factory=dict[str, int])

    def ends(self, status: Status, reason: str = "") -> "State":
        """This state, ended."""
        return replace(self, status=status, reason=reason)

    def used(self, prompt: int, completion: int) -> "State":
        """This state with tokens added."""
        tokens = {
            "prompt": self.tokens.get("prompt", 0) + prompt,
            "completion": self.tokens.get("completion", 0) + completion,
        }
        return replace(self, tokens=tokens)

    @property
    def best(self) -> Judged | None:
        """The passage that answers most surely, where any was judged."""
        return max(self.judged, key=lambda j: j.verdict.probability, default=None)
