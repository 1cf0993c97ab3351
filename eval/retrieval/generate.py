"""Ask every question of the real search and keep the ranked documents. Knows no metric."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from zhengwu.eval.cases import Case
from zhengwu.eval.workspace import KB, Workspace
from zhengwu.rag.snapshot import Request

CHUNKS = 100


@dataclass(frozen=True)
class Ranking:
    """The documents found for one case, best first, and how long that took."""

    case: Case
    documents: tuple[str, ...]
    milliseconds: float


async def rank(space: Workspace, cases: Sequence[Case]) -> list[Ranking]:
    """Search for each case's question over the whole workspace."""
    found: list[Ranking] = []
    for case in cases:
        started = time.monotonic()
        request = Request(case.question, day=None, top=CHUNKS)
        hits = await space.knowledge.search(KB, request)
        elapsed = (time.monotonic() - started) * 1000
        documents = dict.fromkeys(hit.document.doc_id for hit in hits)
        found.append(Ranking(case, tuple(documents), elapsed))
    return found
