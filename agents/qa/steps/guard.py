"""guard_input, detect_grade and guard_output: what may come in, and what may go out."""

from dataclasses import replace

from zhengwu.agents.qa.events import Retract, Sentence, Status
from zhengwu.agents.qa.replies import guards
from zhengwu.agents.qa.state import Emit, State
from zhengwu.pii.detect import detect
from zhengwu.pii.marks import marks
from zhengwu.rag.text.normalise import normalise

SECRET, PERSONAL = 4, 3
_NEVER_SHOWN = frozenset({"identity_card", "bank_card", "mobile"})


async def guard_input(state: State, emit: Emit) -> State:
    """End a question that a rule of the door recognises."""
    text = normalise(state.question.text)
    for guard in guards():
        if guard.pattern.search(text):
            return state.ends(guard.status, guard.source)
    return state


async def detect_grade(state: State, emit: Emit) -> State:
    """Grade the question by what is in it (DESIGN §4); grade 4 ends here."""
    met = marks(state.question.text)
    if met and met[0].grade >= SECRET:
        return replace(state, grade=SECRET).ends(Status.SENSITIVE, "问题带有涉密标识")
    if met or detect(state.question.text):
        return replace(state, grade=PERSONAL)
    return state


async def guard_output(state: State, emit: Emit) -> State:
    """Take back a sentence that would show somebody's number."""
    bad = [
        sentence.sentence_id
        for sentence in state.sentences
        if any(_shows_number(text) for text in (sentence.text, *_quotes(sentence)))
    ]
    if not bad:
        return state
    emit(Retract(sentence_ids=tuple(bad), reason="含个人信息"))
    kept = tuple(s for s in state.sentences if s.sentence_id not in bad)
    state = replace(state, sentences=kept)
    return state if kept else state.ends(Status.NO_SOURCE, "答复含个人信息，已撤回")


def _quotes(sentence: Sentence) -> list[str]:
    return [citation.quote for citation in sentence.citations]


def _shows_number(text: str) -> bool:
    return any(finding.kind in _NEVER_SHOWN for finding in detect(text))
