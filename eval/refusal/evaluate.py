"""Score refusals: AUC of the confidence, and the shares refused with and without evidence."""

from collections.abc import Mapping, Sequence
from typing import Any

STEPS = 21


def score(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The scores of a run."""
    present = [float(r["confidence_with"]) for r in rows]
    absent = [float(r["confidence_without"]) for r in rows]
    n = len(rows)
    return {
        "n": n,
        "auc": round(auc(present, absent), 4),
        "refused_without": round(sum(bool(r["refused_without"]) for r in rows) / n, 4),
        "refused_with": round(sum(bool(r["refused_with"]) for r in rows) / n, 4),
        "curve": [_point(step / (STEPS - 1), present, absent) for step in range(STEPS)],
    }


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that a positive scores above a negative; ties count half."""
    wins = sum((p > q) + 0.5 * (p == q) for p in positive for q in negative)
    return wins / (len(positive) * len(negative)) if positive and negative else 0.0


def _point(threshold: float, present: Sequence[float], absent: Sequence[float]) -> dict[str, float]:
    return {
        "threshold": round(threshold, 3),
        "refused_without": round(sum(c < threshold for c in absent) / len(absent), 4),
        "refused_with": round(sum(c < threshold for c in present) / len(present), 4),
    }
