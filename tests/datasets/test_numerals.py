"""Chinese numerals there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.datasets.numerals import to_chinese, to_int


@given(st.integers(0, 99_999_999))
def test_there_and_back(number: int) -> None:
    assert to_int(to_chinese(number)) == number
    assert to_int(str(number)) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("十", 10), ("一百零七", 107), ("一千二百六十", 1260), ("一千零一", 1001), ("一百一十", 110),
     ("二〇二五", 2025), ("一九九四", 1994), ("１０", 10), ("第一"[1:], 1), ("两千", 2000),
     ("一 百 二 十", 120), ("十二万三千", 123_000)],
)  # fmt: skip
def test_forms(text: str, number: int) -> None:
    assert to_int(text) == number


@pytest.mark.parametrize("text", ["", "条", "一条", "abc", "1万x"])
def test_not_a_numeral(text: str) -> None:
    with pytest.raises(ValueError, match="not a numeral"):
        to_int(text)


@pytest.mark.parametrize(
    ("number", "text"), [(10, "十"), (15, "十五"),
     (20, "二十"), (110, "一百一十"), (1010, "一千零一十"),
     (10_010, "一万零一十")]
)  # fmt: skip
def test_written_as_statutes_do(number: int, text: str) -> None:
    assert to_chinese(number) == text


def test_out_of_range() -> None:
    with pytest.raises(ValueError, match="out of range"):
        to_chinese(-1)
