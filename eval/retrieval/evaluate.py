"""Score rankings: recall@k, MRR, nDCG, and the strict forms that accept `docid` alone."""

from collections.abc import Sequence
from typing import Any

from zhengwu.eval.cases import Doc, relevant
from zhengwu.eval.ranking import ndcg_at, recall_at, reciprocal_rank_at, spread
from zhengwu.eval.retrieval.generate import Ranking


def score(
    rankings: Sequence[Ranking], docs: list[Doc]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The scores of a run, and one row a case."""
    rows = [_row(ranking, docs) for ranking in rankings]
    names = [name for name in rows[0] if name.startswith(("recall", "mrr", "ndcg", "strict"))]
    scores: dict[str, Any] = {
        name: round(sum(row[name] for row in rows) / len(rows), 4) for name in names
    }
    latency = spread([ranking.milliseconds for ranking in rankings])
    return {**scores, "n": len(rows), "latency_ms": latency}, rows


def _row(ranking: Ranking, docs: list[Doc]) -> dict[str, Any]:
    right = relevant(ranking.case, docs)
    only = {ranking.case.docid}
    ranked = ranking.documents
    return {
        "id": ranking.case.id,
        "question": ranking.case.question,
        "found": list(ranked[:10]),
        "relevant": sorted(right),
        "recall@1": recall_at(ranked, right, 1),
        "recall@5": recall_at(ranked, right, 5),
        "recall@10": recall_at(ranked, right, 10),
        "mrr@10": reciprocal_rank_at(ranked, right, 10),
        "ndcg@10": ndcg_at(ranked, right, 10),
        "strict_recall@1": recall_at(ranked, only, 1),
        "strict_mrr@10": reciprocal_rank_at(ranked, only, 10),
    }
