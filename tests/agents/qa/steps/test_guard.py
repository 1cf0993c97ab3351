"""The grade of a question, and what may not go out."""

from dataclasses import replace

import pytest
from tests.agents.qa.town import CARD, MOBILE

from zhengwu.agents.qa.events import Citation, Event, Question, Retract, Sentence, Status
from zhengwu.agents.qa.state import State
from zhengwu.agents.qa.steps.guard import detect_grade, guard_input, guard_output


def state(text: str, *sentences: Sentence) -> State:
    return replace(State(Question(text=text, kb="k"), "a", "c"), sentences=sentences)


def sentence(number: int, text: str, quote: str = "原文") -> Sentence:
    citation = Citation(ref=1, doc_id="d", doc="文", clause_id="a1", clause="第一条", quote=quote)
    return Sentence(sentence_id=number, text=text, citations=(citation,))


def nobody(event: Event) -> None:
    raise AssertionError(f"nothing is to be sent, but {event}")


@pytest.mark.parametrize(
    ("text", "grade", "status"),
    [
        ("社保怎么办？", 1, None),
        (f"我的身份证号{CARD}", 3, None),
        (f"电话{MOBILE}", 3, None),
        ("邮箱 zhang@example.com", 3, None),
        ("机密★ 坐标", 4, Status.SENSITIVE),
        ("绝密级文件怎么复印", 4, Status.SENSITIVE),
        ("秘 密 ☆ 坐标", 4, Status.SENSITIVE),
        ("商业秘密怎么保护？", 1, None),
        ("国家秘密的密级分哪几种？", 1, None),
        ("绝密和机密有什么区别", 1, None),
    ],
)
async def test_grades(text: str, grade: int, status: Status | None) -> None:
    after = await detect_grade(state(text), nobody)
    assert (after.grade, after.status) == (grade, status)


async def test_an_ordinary_question_passes_unchanged() -> None:
    before = state("社保怎么办？")
    assert await guard_input(before, nobody) == before


async def test_numbers_of_persons_are_taken_back() -> None:
    events: list[Event] = []
    before = state(
        "问",
        sentence(1, f"联系{MOBILE}"),
        sentence(2, "请到窗口办理"),
        sentence(3, f"号码{CARD}"),
        sentence(4, "请联系经办人", quote=f"经办人{MOBILE}"),
    )
    after = await guard_output(before, events.append)
    assert events == [Retract(sentence_ids=(1, 3, 4), reason="含个人信息")]
    assert [s.sentence_id for s in after.sentences] == [2] and after.status is None


async def test_nothing_left_is_no_answer() -> None:
    events: list[Event] = []
    after = await guard_output(state("问", sentence(1, f"联系{MOBILE}")), events.append)
    assert after.status == Status.NO_SOURCE and not after.sentences


@pytest.mark.parametrize(
    "text", ["拨打12345", "窗口电话0571-88888888", "补贴13800138000元", "第13800条", "邮编310000"]
)
async def test_public_numbers_stay(text: str) -> None:
    before = state("问", sentence(1, text))
    assert await guard_output(before, nobody) == before
