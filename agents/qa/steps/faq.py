"""faq: a question that a guide already asks and answers is answered in the guide's words."""

from dataclasses import replace

from zhengwu.agents.qa.cite import cite
from zhengwu.agents.qa.events import Sentence, Status
from zhengwu.agents.qa.passage import Unit
from zhengwu.agents.qa.state import Emit, State
from zhengwu.rag.asked import PAIR
from zhengwu.rag.knowledge import Knowledge
from zhengwu.rag.text.segment import query_terms

SAME = 0.75
"""The share of terms that both questions must have in common."""


class Faq:
    """Looks for the question among the questions of what was found."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    async def __call__(self, state: State, emit: Emit) -> State:
        """End as answered_faq when a guide asks the same."""
        asked = set(query_terms(state.question.text))
        for hit in state.hits[:3]:
            for clause in await self._knowledge.clauses(hit):
                pair = PAIR.match(clause.text) if clause.level == "段" else None
                if pair and similar(asked, set(query_terms(pair["asked"]))) >= SAME:
                    unit = Unit(clause.clause_id, pair["answer"], False, clause.text)
                    citations = cite(state.sources, hit, clause.label, [unit])
                    sentence = Sentence(
                        sentence_id=1, text=unit.text, citations=citations, quoted=True
                    )
                    emit(sentence)
                    state = replace(state, sentences=(sentence,))
                    return state.ends(Status.ANSWERED_FAQ, "办事指南中的常见问题")
        return state


def similar(one: set[str], other: set[str]) -> float:
    """Jaccard similarity of two questions' terms."""
    return len(one & other) / len(one | other) if one | other else 0.0
