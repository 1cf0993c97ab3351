"""Ask every question twice: with all documents, and without any that contains the answer."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from zhengwu.agents.qa.chat import Chat
from zhengwu.agents.qa.events import Question
from zhengwu.agents.qa.path import CitizenQA, answer_path
from zhengwu.agents.qa.steps.record import Record
from zhengwu.eval.asked import ask
from zhengwu.eval.cases import Case, Doc, relevant
from zhengwu.eval.workspace import KB, Workspace
from zhengwu.rag.knowledge import Hit, Knowledge
from zhengwu.rag.snapshot import Request


@dataclass(frozen=True)
class Pair:
    """How sure the path was, and whether it refused, with the evidence there and without."""

    case: Case
    confidence_with: float
    confidence_without: float
    refused_with: bool
    refused_without: bool


class Without(Knowledge):
    """A knowledge store in which some documents are not found."""

    excluded: frozenset[str] = frozenset()

    async def search(self, kb: str, request: Request, use_vectors: bool = True) -> list[Hit]:
        """Search as the store itself does, leaving out `excluded`."""
        return await super().search(kb, replace(request, excluded=self.excluded), use_vectors)


async def ask_pairs(
    space: Workspace, chat: Chat, model: str, cases: Sequence[Case], docs: list[Doc]
) -> AsyncIterator[Pair]:
    """Each case asked twice. The path ends at its decision: what is said then does not matter."""
    knowledge = Without(space.engine, space.folder, space.embedder)
    steps = answer_path(knowledge, chat, model)
    decided = next(n for n, (name, _) in enumerate(steps) if name == "decide")
    path = CitizenQA(steps[: decided + 1], Record(space.engine))
    for case in cases:
        question = Question(text=case.question, kb=KB)
        knowledge.excluded = frozenset()
        present = await ask(path, question)
        knowledge.excluded = relevant(case, docs)
        absent = await ask(path, question)
        yield Pair(
            case,
            present.confidence,
            absent.confidence,
            present.status.value == "no_source",
            absent.status.value == "no_source",
        )
