import pytest

from zhengwu.agents.qa.answer_type import answer_types, fit


@pytest.mark.parametrize(
    ("question", "passage", "expected"),
    [
        ("最多能带几件行李？", "每人可以携带两件行李。", 1.0),
        ("多久能办好？", "自受理之日起五个工作日内办结。", 1.0),
        ("要交多少钱？", "每证收取工本费20元。", 1.0),
        ("满几岁才能考？", "应当年满十八周岁。", 1.0),
        ("最多赔几倍？", "保管人应当采取措施防止丢失。", -1.0),
        ("多久能办好？", "申请人应当如实提交材料。", -1.0),
        ("可以委托别人办吗？", "可以委托他人代办。", 0.0),
    ],
)
def test_a_figure_is_asked_for_and_found_or_not(
    question: str, passage: str, expected: float
) -> None:
    assert fit(question, passage) == expected


def test_every_kind_says_what_asks_for_it() -> None:
    kinds = answer_types()
    assert len({kind.name for kind in kinds}) == len(kinds) >= 6
