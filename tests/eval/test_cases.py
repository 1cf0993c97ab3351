"""Case files: what is read, what is refused, and which documents answer."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.eval.cases import (
    Case,
    Doc,
    file_id,
    folder_digest,
    read_cases,
    read_docs,
    relevant,
)
from zhengwu.eval.errors import BadCases
from zhengwu.eval.questions.generate import read_questions

CASE = {"id": "1", "question": "问", "docid": "d1", "answer": "答"}


def write(folder: Path, *rows: object) -> Path:
    path = folder / "file.jsonl"
    text = "\n".join(r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in rows)
    path.write_text(text, encoding="utf-8")
    return path


def test_cases_and_docs_are_read(tmp_path: Path) -> None:
    assert read_cases(write(tmp_path, CASE, "", {**CASE, "id": 2, "more": 1})) == [
        Case(id="1", question="问", docid="d1", answer="答"),
        Case(id="2", question="问", docid="d1", answer="答"),
    ]
    docs = read_docs(write(tmp_path, {"docid": 7, "text": "a\u2028b\x85c"}))
    assert docs == [Doc(docid="7", text="a\u2028b\x85c")]


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "bom.jsonl"
    path.write_text(json.dumps(CASE), encoding="utf-8-sig")
    assert len(read_cases(path)) == 1


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ((CASE, "{oops"), "第 2 行"),
        ((CASE, "[]"), "第 2 行"),
        (({"id": "1", "question": "问"},), "第 1 行.*docid"),
        ((), "是空的"),
        (("", "  "), "是空的"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, rows: tuple[object, ...], words: str
) -> None:
    with pytest.raises(BadCases, match=f"(?s){words}"):
        read_cases(write(tmp_path, *rows))


def test_missing_files_other_encodings_and_two_texts_of_one_id(tmp_path: Path) -> None:
    with pytest.raises(BadCases, match="没有评测文件.*没有.jsonl"):
        read_docs(tmp_path / "没有.jsonl")
    (tmp_path / "gbk.jsonl").write_bytes(json.dumps(CASE, ensure_ascii=False).encode("gbk"))
    with pytest.raises(BadCases, match="UTF-8"):
        read_cases(tmp_path / "gbk.jsonl")
    same = {"docid": "d", "text": "甲"}
    assert len(read_docs(write(tmp_path, same, same))) == 1
    with pytest.raises(BadCases, match="“d”.*不止一次"):
        read_docs(write(tmp_path, same, {"docid": "d", "text": "乙"}))


def test_relevant_is_the_named_document_or_any_that_has_the_answer() -> None:
    docs = [
        Doc(docid="a", text="前 十五\n日内 办结 后"),
        Doc(docid="b", text="十五日办结"),
        Doc(docid="c", text="应当十五日内办结。"),
    ]

    def case(answer: str) -> Case:
        return Case(id="1", question="问", docid="b", answer=answer)

    assert relevant(case("十五日 内办结"), docs) == {"a", "b", "c"}
    assert relevant(case("别的"), docs) == {"b"}
    assert relevant(case(" \n"), docs) == {"b"}, "an empty answer is in no text"


@given(st.text(min_size=1, max_size=200))
def test_every_docid_can_be_a_file(docid: str) -> None:
    name = file_id(docid)
    assert 0 < len(name) <= 128 and len(f"{name}.txt".encode(errors="surrogatepass")) <= 255
    assert not set("/\\\0") & set(name) and name[0] != "." and name == name.strip()
    assert file_id(docid) == name


@pytest.mark.parametrize("docid", ["356fb8b804d73c3b", "办法·一", "doc_1.2", "a b"])
def test_ordinary_ids_stay(docid: str) -> None:
    assert file_id(docid) == docid


@pytest.mark.parametrize("docid", ["a/b", "../x", ".x", "x" * 101, " a", "a\n", "a\\b", ""])
def test_others_get_names_of_their_own(docid: str) -> None:
    assert file_id(docid) != docid
    assert file_id("a/b") != file_id("a_b") != file_id("a\\b")


def test_a_folder_is_known_by_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "一").mkdir()
    (tmp_path / "一" / "a.md").write_text("甲", encoding="utf-8")
    before = folder_digest(tmp_path)
    assert before == folder_digest(tmp_path)
    (tmp_path / "一" / "a.md").write_text("乙", encoding="utf-8")
    assert folder_digest(tmp_path) != before


@pytest.mark.parametrize("line", ["{oops", "[1]", '"x"', '{"id": 1}', '{"question": "问"}'])
def test_questions_that_are_none_are_told_with_their_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadCases, match="第 2 行"):
        read_questions(write(tmp_path, {"id": 1, "question": "问"}, line))
