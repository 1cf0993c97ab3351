"""Metrics against values worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.eval.ranking import ndcg_at, percentile, recall_at, reciprocal_rank_at, spread
from zhengwu.eval.refusal.evaluate import auc, score
from zhengwu.eval.text_overlap import common_subsequence, coverage, rouge_l

RANKED = ["a", "b", "c", "d"]


def test_recall() -> None:
    assert recall_at(RANKED, {"b", "x"}, 1) == 0.0
    assert recall_at(RANKED, {"b", "x"}, 2) == 1.0
    assert recall_at([], {"b"}, 10) == recall_at(RANKED, set[str](), 10) == 0.0


def test_reciprocal_rank() -> None:
    assert reciprocal_rank_at(RANKED, {"c", "d"}, 10) == 1 / 3
    assert reciprocal_rank_at(RANKED, {"c"}, 2) == 0.0


def test_ndcg() -> None:
    # Gains at places 2 and 4: (1/log2 3 + 1/log2 5) / (1/log2 2 + 1/log2 3) = 1.06161 / 1.63093
    assert ndcg_at(RANKED, {"b", "d"}, 10) == pytest.approx(0.65092, abs=1e-5)
    assert ndcg_at(RANKED, {"a"}, 10) == 1.0
    assert ndcg_at(RANKED, {"b"}, 10) == pytest.approx(1 / math.log2(3))
    # More relevant ids than places: the ideal list is k long, too.
    assert ndcg_at(["a", "b"], {"a", "b", "c", "d"}, 2) == 1.0
    assert ndcg_at(RANKED, set[str](), 10) == 0.0


def test_percentile_is_by_nearest_rank() -> None:
    values = [15.0, 20.0, 35.0, 40.0, 50.0]
    assert [percentile(values, p) for p in (0.05, 0.3, 0.4, 0.5, 1.0)] == [15, 20, 20, 35, 50]
    assert percentile([], 0.5) == 0.0
    assert percentile([7.0], 0.95) == 7.0
    assert spread([1.04, 2.0, 100.0]) == {"p50": 2.0, "p95": 100.0}


def test_rouge_l() -> None:
    assert common_subsequence("abcde", "ace") == 3
    # LCS 三 characters of 4 said and 6 wanted: P 3/4, R 1/2, F1 0.6
    assert rouge_l("一二x三", "一二三四五六") == pytest.approx(0.6)
    assert rouge_l("一 二\n三", "一二三") == 1.0
    assert rouge_l("", "一") == rouge_l("一", "") == rouge_l("一", "二") == 0.0


def test_coverage() -> None:
    assert coverage("前 一二 后", "一二三四") == 0.5
    assert coverage("随便", "") == 0.0
    assert coverage("零一二三四五", "一二三四") == 1.0


@given(st.text(alphabet="一二三 ", max_size=12), st.text(alphabet="一二三 ", max_size=12))
def test_overlaps_are_shares_and_rouge_is_symmetric(one: str, other: str) -> None:
    assert 0 <= rouge_l(one, other) <= 1 and 0 <= coverage(one, other) <= 1
    assert rouge_l(one, other) == pytest.approx(rouge_l(other, one))


def test_auc() -> None:
    assert auc([0.9, 0.8], [0.1, 0.2]) == 1.0
    assert auc([0.1], [0.9]) == 0.0
    # Of six pairs 0.8 wins three, 0.5 wins one, loses one and ties one.
    assert auc([0.8, 0.5], [0.4, 0.6, 0.5]) == pytest.approx(4.5 / 6)
    assert auc([], [0.5]) == 0.0


def test_refusal_scores_and_curve() -> None:
    def row(with_: float, without: float, rw: bool, rwo: bool) -> dict[str, object]:
        return {
            "confidence_with": with_, "confidence_without": without,
            "refused_with": rw, "refused_without": rwo,
        }  # fmt: skip

    scores = score([row(0.9, 0.2, False, True), row(0.4, 0.7, True, False)])
    assert (scores["n"], scores["auc"]) == (2, 0.75)
    assert (scores["refused_with"], scores["refused_without"]) == (0.5, 0.5)
    curve = {point["threshold"]: point for point in scores["curve"]}
    assert curve[0.5] == {"threshold": 0.5, "refused_without": 0.5, "refused_with": 0.5}
    assert curve[0.0]["refused_with"] == 0.0 and curve[1.0]["refused_without"] == 1.0
    shares = [point["refused_without"] for point in scores["curve"]]
    assert shares == sorted(shares) and len(shares) == 21
