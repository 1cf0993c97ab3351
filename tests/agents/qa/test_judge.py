"""From log-probabilities to a probability."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.agents.qa.test_passage import hit
from tests.agents.qa.town import ScriptedChat, verdict

from zhengwu.agents.qa.judge import Judge, probability
from zhengwu.agents.qa.passage import Passage, Unit
from zhengwu.models.wire import Alternative, ChatReply, TokenLogprob
from zhengwu.models.yes_no import NEVER, yes_margin

UNIT = Unit("a1", "应当登记。", False, "应当登记。")


def passage(share: float) -> Passage:
    return Passage(hit(), "a1", "第一条", (UNIT,), UNIT.text, UNIT.text, share)


def reply(**tokens: float) -> ChatReply:
    top = tuple(Alternative(token=token, logprob=value) for token, value in tokens.items())
    return ChatReply(logprobs=(TokenLogprob(token="是", logprob=-0.1, top=top),))


def test_the_margin_is_yes_minus_no() -> None:
    assert abs(yes_margin(verdict(3.5)) - 3.5) < 1e-9
    assert yes_margin(reply(是=-0.5, 否=-2.5)) == 2.0
    assert yes_margin(reply(是=-0.5, 好=-1.0)) == -0.5 - NEVER
    assert yes_margin(reply(否=-0.5)) == NEVER + 0.5
    assert yes_margin(reply(好=-0.5)) == yes_margin(ChatReply()) == 0.0


def test_only_the_first_token_counts() -> None:
    first, second = reply(是=-1.0, 否=-2.0), reply(否=-0.1, 是=-9.0)
    both = first.model_copy(update={"logprobs": (*first.logprobs, *second.logprobs)})
    assert yes_margin(both) == 1.0


@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(0, 1))
def test_more_margin_never_makes_it_less_sure(one: float, other: float, share: float) -> None:
    low, high = sorted((one, other))
    assert (
        0
        <= probability(low, "要登记吗", passage(share))
        <= probability(high, "要登记吗", passage(share))
        <= 1
    )


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_overlap_never_makes_it_less_sure(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert probability(0.0, "要登记吗", passage(low)) <= probability(0.0, "要登记吗", passage(high))


async def test_one_token_is_asked_for_at_temperature_zero() -> None:
    chat = ScriptedChat()
    found = await Judge(chat, "chat").judge("要登记吗？", replace(passage(0.5)), 2)
    ((kind, text, grade),) = chat.asked
    assert kind == "judge" and grade == 2 and "应当登记。" in text
    assert found.prompt_tokens == 10 and found.probability > 0.9
