"""Quoting what was judged, under its own source, and taking back what does not stand."""

from dataclasses import replace
from datetime import date

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.agents.qa.town import KB, ScriptedChat

from zhengwu.agents.qa.events import Event, Question, Retract, Sentence, Sources, Status
from zhengwu.agents.qa.judge import Judge, Verdict
from zhengwu.agents.qa.passage import passages
from zhengwu.agents.qa.state import Judged, State
from zhengwu.agents.qa.steps.answer import Answer, VerifyCitations
from zhengwu.agents.qa.steps.find import SHOWN, number_sources
from zhengwu.agents.qa.steps.judge import AT_MOST, JudgeAnswerable, decide
from zhengwu.rag.knowledge import Knowledge
from zhengwu.rag.snapshot import Request

WORDS = "渔船补贴 风车检修 水井取水 船票退款 灯塔许可"


def state(question: str = "渔船补贴") -> State:
    return State(Question(text=question, kb=KB), "a" * 32, "c")


async def found(knowledge: Knowledge) -> State:
    """More hits than sources that were shown."""
    hits = await knowledge.search(KB, Request(WORDS, date.today()))
    assert len(hits) > SHOWN
    return replace(state(), hits=tuple(hits), sources=number_sources((), hits[:SHOWN]))


async def judged(knowledge: Knowledge, before: State, at: int, sure: float = 0.99) -> State:
    hit = before.hits[at]
    passage = passages({}, hit, await knowledge.clauses(hit))[0]
    return replace(before, judged=(*before.judged, Judged(passage, Verdict(sure, 9.0, 1, 1))))


async def test_what_was_not_shown_becomes_a_source_before_it_is_quoted(
    knowledge: Knowledge,
) -> None:
    before = await found(knowledge)
    shown = {source.doc_id for source in before.sources}
    late = next(n for n, hit in enumerate(before.hits) if hit.document.doc_id not in shown)
    before = await judged(knowledge, before, late)
    events: list[Event] = []
    after = await Answer(ScriptedChat(), "chat")(before, events.append)
    assert isinstance(events[0], Sources) and isinstance(events[1], Sentence)
    assert after.sources[:-1] == before.sources
    assert after.sources[-1].doc_id == before.hits[late].document.doc_id
    assert {c.ref for c in events[1].citations} == {len(after.sources)}


async def test_a_second_passage_is_quoted_when_nearly_as_sure(knowledge: Knowledge) -> None:
    before = await judged(knowledge, await found(knowledge), 0, 0.99)
    for sure, count in ((0.98, 2), (0.3, 1)):
        events: list[Event] = []
        both = await judged(knowledge, before, 1, sure)
        await Answer(ScriptedChat(), "chat")(both, events.append)
        assert sum(isinstance(e, Sentence) and e.quoted for e in events) == count


async def test_what_no_longer_stands_is_taken_back(
    knowledge: Knowledge, engine: AsyncEngine
) -> None:
    before = await judged(knowledge, await found(knowledge), 0)
    events: list[Event] = []
    answered = await Answer(ScriptedChat(), "chat")(before, events.append)
    verify = VerifyCitations(knowledge)
    assert (await verify(answered, events.append)).status == Status.ANSWERED
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE clauses SET text = '改过的条文'"))
    after = await verify(answered, events.append)
    assert after.status == Status.NO_SOURCE and not after.sentences
    assert isinstance(events[-1], Retract) and events[-1].sentence_ids == (1,)
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM clauses"))
    assert (await verify(answered, events.append)).status == Status.NO_SOURCE


async def test_a_sentence_without_a_citation_does_not_stand(knowledge: Knowledge) -> None:
    bare = replace(state(), sentences=(Sentence(sentence_id=1, text="渔船补贴。"),))
    events: list[Event] = []
    assert (await VerifyCitations(knowledge)(bare, events.append)).status == Status.NO_SOURCE


async def test_judging_is_bounded_stops_when_sure_and_looks_at_nothing_twice(
    knowledge: Knowledge,
) -> None:
    before = await found(knowledge)
    unsure = ScriptedChat(margin=lambda asked: -30.0)
    step = JudgeAnswerable(knowledge, Judge(unsure, "chat"))
    once = await step(before, lambda event: None)
    assert len(unsure.asked) == len(once.judged) == AT_MOST
    assert once.tokens == {"prompt": 10 * AT_MOST, "completion": AT_MOST}
    assert (await decide(once, lambda event: None)).status == Status.NO_SOURCE
    twice = await step(once, lambda event: None)
    texts = [asked for _, asked, _ in unsure.asked]
    assert len(set(texts)) == len(texts) and len(twice.judged) > len(once.judged)
    sure = ScriptedChat()
    after = await JudgeAnswerable(knowledge, Judge(sure, "chat"))(before, lambda event: None)
    assert len(sure.asked) == 1
    assert (await decide(after, lambda event: None)).status is None


async def test_nothing_found_is_nothing_judged(knowledge: Knowledge) -> None:
    chat = ScriptedChat()
    step = JudgeAnswerable(knowledge, Judge(chat, "chat"))
    after = await step(state(), lambda event: None)
    assert not after.judged and not chat.asked
    assert (await decide(after, lambda event: None)).status == Status.NO_SOURCE
