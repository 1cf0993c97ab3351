from importlib.resources import files
from importlib.resources.abc import Traversable

import pytest
import yaml

from zhengwu.rag.text.query import OFFICIAL_WEIGHT, weigh_query
from zhengwu.rag.text.spoken import thesaurus

FILES = [f for f in files("zhengwu.rag").joinpath("data").iterdir() if f.name.startswith("terms_")]


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_every_group_has_spoken_and_official_words(file: Traversable) -> None:
    for group in yaml.safe_load(file.read_text(encoding="utf-8")):
        assert set(group) == {"spoken", "official"}
        assert all(len(str(word)) >= 1 for word in group["spoken"])
        assert all(len(str(word)) >= 2 for word in group["official"])


def test_a_spoken_word_brings_the_official_one() -> None:
    assert "用人单位" in thesaurus().widen("老板拖着不给")


def test_what_is_said_already_is_not_added() -> None:
    assert "用人单位" not in thesaurus().widen("老板就是用人单位")


def test_added_words_weigh_less_than_the_persons_own() -> None:
    weights = weigh_query("老板拖欠")
    assert weights["拖欠"] == 1.0
    assert weights["用人单位"] == OFFICIAL_WEIGHT < 1
