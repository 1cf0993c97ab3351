"""Written forms: what people type and what documents print become one."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.rag.text.normalise import clean, normalise, squash


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("醫療保險", "医疗保险"),
        ("社會保險繳費證明", "社会保险缴费证明"),
        ("１２３４５　热线", "12345 热线"),
        ("医 疗　保\n险", "医疗保险"),
        ("ＡＩ ｃｈａｔ GPT", "ai chat gpt"),
        ("第①条㈡项", "第1条(二)项"),
        ("公\u200b积\ufeff金\x00", "公积金"),
        ("⽤⼾", "用户"),  # Kangxi radicals, as PDF files have them
        ("a\r\nb", "a\nb"),
        ("", ""),
    ],
)
def test_forms_become_one(written: str, plain: str) -> None:
    assert normalise(written) == plain


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    normalise(text)
    assert not any(c.isspace() for c in squash(text))
    assert clean(text) == clean(clean(text))
    assert all(
        unicodedata.category(c) != "Cc" or c in "\t\n\x80\x85" or c > "\x7f" for c in clean(text)
    )


@given(st.text("医疗保险待遇申领abc0123", max_size=30), st.data())
def test_spaces_between_characters_make_no_difference(text: str, data: st.DataObject) -> None:
    chinese = "".join(c for c in text if c > "\u3000")
    spaced = "".join(c + data.draw(st.sampled_from(["", " ", "\u3000", "\n"])) for c in chinese)
    assert normalise(spaced.strip()) == normalise(chinese)


def test_cleaning_keeps_what_was_typed() -> None:
    assert clean("  医保\u200b 怎么\x07报销？\n") == "医保 怎么报销？"
    assert squash("第一 条\n\t内容　完") == "第一条内容完"
