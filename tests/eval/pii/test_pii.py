"""`eval pii`: the frozen addresses are the frozen ones, the bars hold, scores mean something."""

import json
from pathlib import Path

import pytest

from zhengwu.eval.cases import file_digest
from zhengwu.eval.errors import BadCases
from zhengwu.eval.pii import addresses, evaluate
from zhengwu.eval.pii.generate import Case, Entity, Looked, look, read, written
from zhengwu.eval.pii.run import run
from zhengwu.pii.finding import Finding

ADDRESSES = Path(__file__).resolve().parents[3] / "eval/pii/cases/addresses.jsonl"
FROZEN = "fc89e129a3e1bdd08e7df6802a1412abfa4891c8a765ab6819f0e6fc905cfc2a"


def test_the_addresses_are_those_that_were_frozen() -> None:
    assert file_digest(ADDRESSES) == FROZEN
    lines = [json.loads(line) for line in ADDRESSES.read_text(encoding="utf-8").splitlines()]
    assert lines == addresses.written(400)


def test_the_bars_on_addresses_and_their_lookalikes() -> None:
    scores = evaluate.score(look(read(ADDRESSES)))
    assert scores["kinds"]["address"]["recall"] >= 0.97
    assert scores["clean_found"] <= 0.02


def test_the_bar_on_check_digits() -> None:
    scores = evaluate.score(look(written(400, seed=7)))
    for kind in ("identity_card", "bank_card", "credit_code"):
        assert scores["kinds"][kind]["recall"] >= 0.995, kind


def test_scores() -> None:
    text = "x" * 20
    case = Case(text=text, entities=(Entity(start=0, end=4, kind="name"),))
    half = Looked(case, (Finding(0, 2, "name"), Finding(10, 12, "name")), 0.0)
    missed = Looked(case, (Finding(0, 1, "name"),), 0.0)
    clean = Looked(Case(text=text), (), 0.0)
    scores = evaluate.score([half, missed, clean])
    name = scores["kinds"]["name"]
    assert (name["recall"], name["precision"], name["exact_recall"]) == (0.5, 0.3333, 0.0)
    assert (scores["n"], scores["clean"], scores["clean_found"]) == (3, 1, 0.0)
    assert not any("x" in json.dumps(row["found"]) for row in evaluate.rows([half]))


def test_a_run_is_written_and_a_wrong_file_named(tmp_path: Path) -> None:
    scores = run(ADDRESSES, tmp_path, limit=50, seed=3)
    assert scores["n"] == 50
    assert len(list(tmp_path.glob("pii-*"))) == 2
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text(
        '{"text": "短", "entities": [{"start": 0, "end": 9, "kind": "name"}]}\n', "utf-8"
    )
    with pytest.raises(BadCases, match="第 1 行"):
        run(wrong, tmp_path, None, 0)
