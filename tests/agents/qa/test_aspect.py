import pytest

from zhengwu.agents.qa.aspect import asks_aspect, aspect_fit


@pytest.mark.parametrize(
    ("question", "heading", "expected"),
    [
        ("办公租房需要什么条件？", "办理条件", 1.0),
        ("办公租房需要什么条件？", "申请材料", -1.0),
        ("哪些人能申请公租房？", "服务对象", 1.0),
        ("补身份证要带什么？", "申请材料", 1.0),
        ("补身份证怎么办？", "办理流程", 1.0),
        ("护照多久能办好？", "办理时限", 1.0),
        ("窗口周末上班吗？", "办理地点和时间", 1.0),
        ("补身份证要带什么？", "常见问题", 0.0),
        ("楼上漏水谁来赔？", "办理条件", 0.0),
    ],
)
def test_a_heading_promises_what_is_asked_for(question: str, heading: str, expected: float) -> None:
    assert aspect_fit(question, heading) == expected


def test_a_question_about_no_aspect_asks_for_none() -> None:
    assert asks_aspect("补身份证要带什么？") and not asks_aspect("楼上漏水谁来赔？")
