"""answer and verify_citations: quote the clause that answers, then say it in plain words.

Extract, then phrase: the quotation comes from the store and needs no model; the model's sentence is
shown only when code finds it backed by the quotation.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from zhengwu.agents.qa.chat import Chat
from zhengwu.agents.qa.cite import cite, quotation
from zhengwu.agents.qa.events import Citation, Retract, Sentence, Sources, Status
from zhengwu.agents.qa.judge import judge_weights
from zhengwu.agents.qa.passage import Passage
from zhengwu.agents.qa.prompt import messages
from zhengwu.agents.qa.state import Emit, State
from zhengwu.agents.qa.steps.find import number_sources
from zhengwu.agents.qa.verify import quoted, supported
from zhengwu.models.errors import ModelError
from zhengwu.models.wire import ChatRequest
from zhengwu.rag.errors import UnknownClause
from zhengwu.rag.knowledge import Knowledge

log = logging.getLogger(__name__)

PHRASE_TOKENS = 96
BESIDE = 0.9
"""A second passage is quoted too when it is at least this sure, relative to the best."""
PASSAGES = 2


class Answer:
    """Shows the quotation at once, then the model's sentence once it has passed its check."""

    def __init__(self, chat: Chat, model: str) -> None:
        self._chat = chat
        self._model = model

    async def __call__(self, state: State, emit: Emit) -> State:
        """Emit the sentences of the answer."""
        chosen = _chosen(state)
        state = _with_sources(state, emit, chosen)
        for passage in chosen:
            citations = cite(state.sources, passage.hit, passage.label, passage.units)
            state = _show(state, emit, quotation(passage.units), citations, quoted_words=True)
        return await self._phrase(state, emit, chosen[0])

    async def _phrase(self, state: State, emit: Emit, passage: Passage) -> State:
        try:
            text, state = await self._say(state, passage)
        except ModelError as error:
            # The quotation already answers; a plain sentence less is no failure.
            log.warning("phrasing failed: %s", error)
            return state
        check = supported(text, f"{passage.label}{passage.text}", state.question.text)
        if not check.passed:
            log.info("a phrased sentence was not shown: %s", check.reason)
            return state
        return _show(state, emit, text, state.sentences[0].citations, quoted_words=False)

    async def _say(self, state: State, passage: Passage) -> tuple[str, State]:
        request = ChatRequest(
            messages=messages(
                "phrase",
                question=state.question.text,
                title=passage.hit.document.title,
                label=passage.label,
                evidence=passage.told.strip(),
            ),
            model=self._model,
            temperature=0,
            max_tokens=PHRASE_TOKENS,
            stop=("\n",),
        )
        reply = await self._chat.complete(request, state.grade)
        usage = reply.usage
        state = state.used(usage.prompt_tokens, usage.completion_tokens) if usage else state
        # What was cut off at the limit is not a sentence.
        return (reply.text.strip() if reply.finish_reason == "stop" else ""), state


class VerifyCitations:
    """Reads every cited clause again and compares the quotation character by character."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    async def __call__(self, state: State, emit: Emit) -> State:
        """Take back what does not stand word for word in the store."""
        kb = state.question.kb
        bad = [
            sentence.sentence_id
            for sentence in state.sentences
            if not sentence.citations
            or not all([await self._stands(kb, citation) for citation in sentence.citations])
        ]
        if bad:
            emit(Retract(sentence_ids=tuple(bad), reason="引文与原文不一致"))
        kept = tuple(s for s in state.sentences if s.sentence_id not in bad)
        state = replace(state, sentences=kept)
        if not kept:
            return state.ends(Status.NO_SOURCE, "引文与原文不一致，已撤回")
        return state.ends(Status.ANSWERED)

    async def _stands(self, kb: str, citation: Citation) -> bool:
        try:
            clause = await self._knowledge.clause(kb, citation.doc_id, citation.clause_id)
        except UnknownClause:
            return False
        return quoted(citation.quote, clause.text)


def _chosen(state: State) -> list[Passage]:
    """The passages to quote: the surest, and a second that is nearly as sure."""
    ranked = sorted(state.judged, key=lambda j: -j.verdict.probability)[:PASSAGES]
    floor = max(judge_weights().threshold, BESIDE * ranked[0].verdict.probability)
    return [ranked[0].passage, *(j.passage for j in ranked[1:] if j.verdict.probability >= floor)]


def _with_sources(state: State, emit: Emit, chosen: Sequence[Passage]) -> State:
    """What is quoted is among the sources: more is judged than is shown."""
    shown = {(source.doc_id, source.clause_id) for source in state.sources}
    wanted = {(p.hit.document.doc_id, p.hit.clause_ids[0]): p.hit for p in chosen}
    fresh = {name: hit for name, hit in wanted.items() if name not in shown}
    if not fresh:
        return state
    state = replace(state, sources=number_sources(state.sources, list(fresh.values())))
    emit(Sources(sources=state.sources))
    return state


def _show(
    state: State, emit: Emit, text: str, citations: tuple[Citation, ...], quoted_words: bool
) -> State:
    number = len(state.sentences) + 1
    sentence = Sentence(sentence_id=number, text=text, citations=citations, quoted=quoted_words)
    emit(sentence)
    return replace(state, sentences=(*state.sentences, sentence))
