"""Finds passages for an assistant. What is above the ceiling is neither found nor counted.

Knows the knowledge store; knows no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from zhengwu.rag.knowledge import Hit
from zhengwu.rag.snapshot import Request

MAX_QUESTION = 500
MAX_PASSAGE = 1500
WIDER = 4
"""How many times as many are searched as are shown: some may be above the ceiling."""


class Searches(Protocol):
    """Searches one knowledge base. `Knowledge` is the real one."""

    async def search(self, kb: str, request: Request, use_vectors: bool = True) -> list[Hit]:
        """The best chunks."""
        ...


@dataclass(frozen=True)
class Passages:
    """What was found, as the model is shown it, and the highest grade among it."""

    text: str
    grade: int


async def find_passages(
    knowledge: Searches, kbs: Sequence[str], question: str, most: int, ceiling: int
) -> Passages | None:
    """The best passages of `kbs` for `question`, none graded above `ceiling`."""
    found: list[tuple[str, Hit]] = []
    asked = Request(question[:MAX_QUESTION], date.today(), top=most * WIDER)
    for kb in kbs:
        hits = await knowledge.search(kb, asked)
        found += [(kb, hit) for hit in hits if hit.document.grade <= ceiling]
    best = sorted(found, key=lambda each: -each[1].scores.total)[:most]
    if not best:
        return None
    shown = "\n\n".join(_shown(kb, hit) for kb, hit in best)
    return Passages(shown, max(hit.document.grade for _, hit in best))


def _shown(kb: str, hit: Hit) -> str:
    clauses = "、".join(hit.clause_ids)
    return f"【{kb}/{hit.document.doc_id}#{clauses}】{hit.path}\n{hit.text[:MAX_PASSAGE]}"
