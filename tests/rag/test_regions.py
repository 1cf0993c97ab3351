"""Regions: what a rule of one means in another, and what a text names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.rag.regions import NATION, applies, gazetteer, related

PLACES = gazetteer()
PATHS = st.one_of(
    st.just(NATION), st.lists(st.sampled_from("甲乙丙"), min_size=1, max_size=3).map("/".join)
)


@pytest.mark.parametrize(
    ("rule", "place", "does"),
    [
        ("", "江苏省/泰州市", True),
        ("江苏省", "江苏省/泰州市", True),
        ("江苏省/泰州市", "江苏省/泰州市", True),
        ("江苏省/泰州市", "江苏省", False),
        ("江苏省/南京市", "江苏省/泰州市", False),
        ("江苏省/泰州", "江苏省/泰州市", False),
        ("江苏省", "", False),
    ],
)
def test_rules_apply_below_them(rule: str, place: str, does: bool) -> None:
    assert applies(rule, place) is does


@given(PATHS, PATHS, PATHS)
def test_applies_is_an_order(a: str, b: str, c: str) -> None:
    assert applies(a, a) and applies(NATION, a)
    if applies(a, b) and applies(b, c):
        assert applies(a, c)
    if applies(a, b) and applies(b, a):
        assert a == b


@given(PATHS, PATHS)
def test_related_goes_both_ways(a: str, b: str) -> None:
    assert related(a, b) == related(b, a) == (applies(a, b) or applies(b, a))


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("泰州市公积金提取条件", ["江苏省/泰州市"]),
        ("我在泰州上班，户口在南京", ["江苏省/泰州市", "江苏省/南京市"]),
        ("江苏省泰州市", ["江苏省", "江苏省/泰州市"]),
        ("广西怎么办", ["广西壮族自治区"]),
        ("吉林省吉林市", ["吉林省", "吉林省/吉林市"]),
        ("内蒙古鄂尔多斯", ["内蒙古自治区", "内蒙古自治区/鄂尔多斯市"]),
        ("泰州泰州泰州市", ["江苏省/泰州市"]),
        ("医保报销需要什么材料", []),
    ],
)
def test_named_places_are_found(text: str, paths: list[str]) -> None:
    assert PLACES.mentioned(text) == paths


@pytest.mark.parametrize(
    "text",
    [
        "适当延长春节假期",
        "擅自停运城镇污水处理设施",
        "举办重大庆典活动",
        "长江、黄河等江河源头",
        "以真金白银支持企业",
        "推广安全可靠的产品",
        "河东营业厅",
        "阿里巴巴、三明治和哈密瓜，长治久安，大同小异",
        "欢迎各位来宾，祝身体安康",
    ],
)
def test_other_words_name_no_place(text: str) -> None:
    assert PLACES.mentioned(text) == []


@given(st.text(max_size=40))
def test_whatever_is_found_is_known(text: str) -> None:
    assert all(PLACES.knows(path) for path in PLACES.mentioned(text))


def test_every_region_finds_itself() -> None:
    for path in PLACES.known:
        assert PLACES.mentioned(path.rpartition("/")[2]) == [path]


def test_unknown_regions_are_unknown() -> None:
    assert PLACES.knows(NATION) and PLACES.knows("江苏省/泰州市")
    assert not PLACES.knows("泰州市")
    assert not PLACES.knows("示范省/示范市")


def test_regions_of_the_documents_are_added() -> None:
    places = gazetteer(frozenset({"示范省/示范市/河东区", "示范省/示范市/湖滨县"}))
    assert places.knows("示范省") and places.knows("示范省/示范市/湖滨县")
    assert places.mentioned("示范市湖滨县") == ["示范省/示范市", "示范省/示范市/湖滨县"]
    assert not PLACES.knows("示范省")


def test_a_name_of_two_places_names_neither_but_both_are_known() -> None:
    extra = frozenset({"江苏省/南京市/鼓楼区", "福建省/福州市/鼓楼区"})
    places = gazetteer(extra)
    assert all(places.knows(path) for path in extra)
    assert places.mentioned("鼓楼区") == []
    assert places.mentioned("福州市鼓楼区") == ["福建省/福州市"]


def test_a_documents_odd_path_takes_no_name_from_the_nation() -> None:
    assert gazetteer(frozenset({"南京市"})).mentioned("南京市") == ["江苏省/南京市"]
