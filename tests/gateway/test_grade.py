"""The grade of a pass-through request fails closed."""

import pytest

from zhengwu.gateway.errors import BadBody
from zhengwu.gateway.grade import grade_of

BODY = {"messages": [{"role": "user", "content": [{"type": "text", "text": "请致电 13800138000"}]}]}


def test_what_is_not_declared_stays_on_the_pool() -> None:
    assert grade_of(None, {"messages": []}) == 3


def test_a_declaration_holds_unless_personal_data_is_found() -> None:
    assert grade_of("1", {"messages": [{"content": "居住证怎么办？"}]}) == 1
    assert grade_of("1", BODY) == 3
    assert grade_of("2", {"13800138000": 1}) == 3
    assert grade_of("4", BODY) == 4


@pytest.mark.parametrize("declared", ["", "0", "5", "1.0", "公开", "１"])
def test_a_word_that_is_no_grade(declared: str) -> None:
    with pytest.raises(BadBody, match="1、2、3 或 4"):
        grade_of(declared, {})
