"""Terms: the same for question and document, and never too many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.rag.text.segment import query_terms, question_words, terms


def test_words_and_bigrams() -> None:
    found = terms("住房公积金提取")
    assert {"公积金", "提取", "#住房", "#房公", "#公积", "#积金", "#金提", "#提取"} <= set(found)


@pytest.mark.parametrize(
    ("one", "other"),
    [("医疗保险", "醫療保險"), ("12345热线", "１２３４５热线"), ("生育津贴", "生 育 津 贴")],
)
def test_other_forms_have_the_same_terms(one: str, other: str) -> None:
    assert terms(one) == terms(other)
    assert query_terms(one) == query_terms(other)


def test_words_that_only_ask_are_left_out() -> None:
    asked = query_terms("请问我应该如何办理住房公积金提取？")
    assert "公积金" in asked and "提取" in asked
    assert not question_words() & set(asked)
    assert not {"#如何", "#请问", "#何办"} & set(asked)


@pytest.mark.parametrize("text", ["", "？！", "怎么办", "请问吗", "\x00\u200b", "😀😀", "…"])
def test_a_question_without_a_subject_has_no_terms(text: str) -> None:
    assert query_terms(text) == []


@given(st.text(max_size=60))
def test_no_white_space_in_terms_and_none_twice(text: str) -> None:
    assert not any(term == "" or any(c.isspace() for c in term) for term in terms(text))
    asked = query_terms(text)
    assert len(asked) == len(set(asked))


@given(st.text("医疗保险待遇申领办理条件", min_size=2, max_size=30))
def test_a_questions_terms_are_its_documents(text: str) -> None:
    assert set(query_terms(text)) <= set(terms(text))


@pytest.mark.parametrize("unit", ["医疗", "a", "1", "如何", "！", "a "])
def test_a_hundred_thousand_characters_take_no_long_time(unit: str) -> None:
    query_terms(unit * (100_000 // len(unit)))
