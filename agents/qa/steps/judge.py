"""judge_answerable: which passage answers, if any. Likely ones first; a sure one ends it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from zhengwu.agents.qa.answer_type import fit
from zhengwu.agents.qa.aspect import asks_aspect, aspect_fit
from zhengwu.agents.qa.events import Status
from zhengwu.agents.qa.judge import Judge, judge_weights
from zhengwu.agents.qa.passage import Passage, passages
from zhengwu.agents.qa.state import Emit, Judged, State
from zhengwu.rag.knowledge import Hit, Knowledge
from zhengwu.rag.text.query import weigh_query

AT_MOST = 3
"""Passages judged in one pass: each costs the reading of its text."""
PER_HIT = 2
OVERLAP_WEIGHT = 0.6
"""What the question's own terms add that stand in a passage."""
FIT_WEIGHT = 0.3
"""What a figure of the kind asked for adds to a passage's place in the queue."""
GUIDE = "办事指南"
"""The kind of document that says everything about one matter under headings of its own."""
ASPECT_WEIGHT = 0.5
"""What a heading of the aspect asked for adds."""
LOCAL_WEIGHT = 0.3
"""What the caller's own place adds where a matter is to be handled: its guide goes first."""
ASKED_WEIGHT = 0.4
"""What the clause adds that answers a question just like the one asked."""


class JudgeAnswerable:
    """Judges the likeliest passages of the hits that were not judged yet."""

    def __init__(self, knowledge: Knowledge, judge: Judge) -> None:
        self._knowledge = knowledge
        self._judge = judge

    async def __call__(self, state: State, emit: Emit) -> State:
        """Add verdicts to the state."""
        seen = {judged.passage.hit.chunk for judged in state.judged}
        hits = [hit for hit in state.hits if hit.chunk not in seen]
        for passage in (await self._likeliest(state, hits))[:AT_MOST]:
            # What is quoted to the model counts for the grade, too (DESIGN §4).
            state = replace(state, grade=max(state.grade, passage.hit.document.grade))
            verdict = await self._judge.judge(state.question.text, passage, state.grade)
            state = replace(state, judged=(*state.judged, Judged(passage, verdict)))
            state = state.used(verdict.prompt_tokens, verdict.completion_tokens)
            if verdict.probability >= judge_weights().sure:
                break
        return state

    async def _likeliest(self, state: State, hits: Sequence[Hit]) -> list[Passage]:
        asked = weigh_query(state.question.text, " ".join(state.rewritten))
        weights = await self._knowledge.weigh(state.question.kb, asked)
        best = max((hit.scores.total for hit in hits), default=1.0) or 1.0
        found: list[tuple[float, Passage]] = []
        # A long article is several chunks, and each of them leads to all its clauses.
        seen = {_place(judged.passage) for judged in state.judged}
        for hit in hits:
            clauses = await self._knowledge.clauses(hit)
            standing = hit.scores.total / best
            held = [*passages(weights, hit, clauses), *await self._sections(state, weights, hit)]
            promising = [
                (standing + promise(state.question.text, passage), passage)
                for passage in {_place(passage): passage for passage in held}.values()
                if _place(passage) not in seen
            ]
            kept = sorted(promising, key=lambda pair: -pair[0])[:PER_HIT]
            seen |= {_place(passage) for _, passage in kept}
            found += kept
        return [passage for _, passage in sorted(found, key=lambda pair: -pair[0])]

    async def _sections(
        self, state: State, weights: Mapping[str, float], hit: Hit
    ) -> list[Passage]:
        """The sections of a guide that are headed by what is asked for, wherever the hit was."""
        if hit.document.kind != GUIDE or not asks_aspect(state.question.text):
            return []
        clauses = await self._knowledge.outline(state.question.kb, hit.document.doc_id)
        found = passages(dict(weights), hit, clauses)
        return [p for p in found if aspect_fit(state.question.text, p.label) > 0]


def promise(question: str, passage: Passage) -> float:
    """How much of what is asked a passage seems to hold, before any model reads it."""
    heading = passage.about * aspect_fit(question, passage.label)
    local = bool(heading > 0 and passage.hit.document.region)
    return (
        OVERLAP_WEIGHT * passage.overlap
        + FIT_WEIGHT * fit(question, passage.text)
        + ASPECT_WEIGHT * heading
        + LOCAL_WEIGHT * local
        + ASKED_WEIGHT * passage.asked
    )


def _place(passage: Passage) -> tuple[int, str]:
    return passage.hit.document.id, passage.clause_id


def is_answerable(state: State) -> bool:
    """Whether a passage was found that answers surely enough."""
    return state.best is not None and state.best.verdict.probability >= judge_weights().threshold


async def decide(state: State, emit: Emit) -> State:
    """End a question that nothing answers."""
    if is_answerable(state):
        return state
    return state.ends(Status.NO_SOURCE, "没有找到足以回答的依据")
