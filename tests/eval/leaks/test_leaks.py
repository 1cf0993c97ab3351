"""Nothing that must stay leaves, whatever breaks; and the measure would notice if it did."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from zhengwu.cli.leaks import ground
from zhengwu.eval.leaks.cases import FAULTS, LeakCase, written
from zhengwu.eval.leaks.run import drive, run, score
from zhengwu.gateway.governed import grade
from zhengwu.pii.detect import Finding


async def test_no_leak_and_what_may_go_goes(tmp_path: Path) -> None:
    async with ground() as (drives, outside):
        scores = await run(300, 5, tmp_path, drives, outside.seen)
    assert scores["leaks"] == 0
    assert scores["stay"] > 100
    assert scores["arrived_outside"] >= 0.9, "a few dozen are due; 0.99 is asked of the full size"
    assert scores["pseudonymised_arrived"] > 0
    assert set(scores["faults"]) == set(FAULTS)
    assert len(list(tmp_path.glob("leaks-*"))) == 2


async def test_a_blind_detector_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(text: str) -> Sequence[Finding]:
        return ()

    monkeypatch.setattr(grade.Grading.__init__, "__defaults__", (blind, 3.0))
    cases = list(written(80, 5))
    async with ground() as (drives, outside):
        scores, rows = score(cases, await drive(cases, drives), outside.seen)
    assert scores["leaks"] > 0
    assert all("value" not in row.get("leak", {}) for row in rows), "a report shows no value"


def test_the_score_looks_through_escapes_and_spaces() -> None:
    case = LeakCase("zx0000001q", {}, "1", "fallback", "none", False, "13800138000")
    for written_as in ("13800138000", "138 0013 8000", "\\u0031\\u00338\\\\u00300138000"):
        seen = b"POST / HTTP/1.1\r\n\r\n" + f'{{"a": "zx0000001q {written_as}"}}'.encode()
        assert score([case], ["ok"], [seen])[0]["leaks"] == 1
    clean = b"POST / HTTP/1.1\r\n\r\n" + '{"a": "zx0000001q 【手机号1】"}'.encode()
    assert score([case], ["ok"], [clean])[0]["leaks"] == 0
