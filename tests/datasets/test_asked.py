"""The bank of spoken questions: every line is whole, and what is wrong is named."""

from pathlib import Path

import pytest
from tests.needs import need

from zhengwu.datasets.asked import ASKED, law_name, read_asked
from zhengwu.datasets.errors import AskedError
from zhengwu.datasets.lawbook import read_laws

LAWS = Path(__file__).resolve().parents[3] / "shared" / "data" / "laws"


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"law": "试验法", "article": "第一条"}\n{"law": 1}\n')
    with pytest.raises(AskedError, match="a.jsonl 第 2 行"):
        list(read_asked(tmp_path))


def test_every_question_stands_once_and_names_an_article_that_is_there() -> None:
    need(LAWS.is_dir(), "the laws that questions are resolved against")
    book, seen = read_laws(LAWS), set[str]()
    for line in read_asked(ASKED):
        assert book.resolve(law_name(line.law), line.article) == "resolved", line
        for text in (*line.asked, *line.not_answered):
            assert text not in seen and 4 <= len(text) <= 60, text
            seen.add(text)
