"""`eval pii`: from a file, or from numbers written for the occasion, to a written report."""

import random
from pathlib import Path
from typing import Any

from zhengwu.eval.pii import evaluate
from zhengwu.eval.pii.generate import Case, look, read, written
from zhengwu.eval.report import write_run


def run(
    cases: Path | None, out: Path, limit: int | None, seed: int, count: int = 2000
) -> dict[str, Any]:
    """The scores of a file; without one, of `count` generated numbers of each checksum kind.

    Raises:
        BadCases: the file is missing or a line is not what it should be.
    """
    found = written(count, seed) if cases is None else read(cases)
    looked = look(_sample(found, limit, seed))
    scores = evaluate.score(looked)
    configuration = {"limit": limit, "seed": seed, "written": count if cases is None else None}
    data = [cases] if cases else []
    write_run(out, "pii", scores, evaluate.rows(looked), configuration, data)
    return scores


def _sample(cases: list[Case], limit: int | None, seed: int) -> list[Case]:
    if limit is None or limit >= len(cases):
        return cases
    return random.Random(seed).sample(cases, limit)
