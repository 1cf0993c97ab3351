"""Score findings against cases: recall and precision per kind, and what clean texts cost.

A finding counts where it covers at least half of what it and the entity cover together (`exact_…`
where both ends agree too). Only kinds that the detector knows are scored.
"""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from zhengwu.eval.pii.generate import Entity, Looked
from zhengwu.pii.detect import Finding
from zhengwu.pii.finding import KIND_NAMES

ENOUGH = 0.5


def score(looked: Sequence[Looked]) -> dict[str, Any]:
    """The scores of a run."""
    clean = [each for each in looked if not each.case.entities]
    scores: dict[str, Any] = {"n": len(looked), "kinds": _kinds(looked), "clean": len(clean)}
    scores["clean_found"] = _share(sum(bool(each.found) for each in clean), len(clean))
    scores["ms_per_200_characters_p50"] = _speed(looked)
    return scores


def rows(looked: Sequence[Looked]) -> list[dict[str, Any]]:
    """One row a case: kinds and places, no text."""
    return [
        {
            "case": number,
            "expected": [[e.kind, e.start, e.end] for e in each.case.entities],
            "found": [[f.kind, f.start, f.end] for f in each.found],
        }
        for number, each in enumerate(looked)
    ]


def _kinds(looked: Sequence[Looked]) -> dict[str, dict[str, float | int | None]]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for each in looked:
        for kind in KIND_NAMES:
            expected = [e for e in each.case.entities if e.kind == kind]
            found = [f for f in each.found if f.kind == kind]
            if expected or found:
                row = counts[kind]
                row[0] += len(expected)
                row[1] += len(found)
                row[2] += sum(any(_meet(e, f) for f in found) for e in expected)
                row[3] += sum(any(_meet(e, f) for e in expected) for f in found)
                exact = {(e.start, e.end) for e in expected} & {(f.start, f.end) for f in found}
                row[4] += len(exact)
    return {
        kind: {
            "expected": expected,
            "found": found,
            "recall": _share(met, expected),
            "precision": _share(right, found),
            "exact_recall": _share(exact, expected),
            "exact_precision": _share(exact, found),
        }
        for kind, (expected, found, met, right, exact) in sorted(counts.items())
    }


def _meet(entity: Entity, finding: Finding) -> bool:
    shared = min(entity.end, finding.end) - max(entity.start, finding.start)
    return shared >= ENOUGH * (max(entity.end, finding.end) - min(entity.start, finding.start))


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _speed(looked: Sequence[Looked]) -> float:
    """Milliseconds for 200 characters, at the median over windows of about that size."""
    spans: list[float] = []
    characters, seconds = 0, 0.0
    for each in looked:
        characters += len(each.case.text)
        seconds += each.seconds
        if characters >= 200:
            spans.append(seconds * 200_000 / characters)
            characters, seconds = 0, 0.0
    return round(statistics.median(spans), 4) if spans else 0.0
