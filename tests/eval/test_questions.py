"""Questions for judging by hand: what code can count of them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

from zhengwu.agents.qa.events import Citation, Done, Event, Retract, Sentence, Status
from zhengwu.eval.questions.generate import ask_all


def citation(doc: str, clause: str) -> Citation:
    return Citation(ref=1, doc_id="d", doc=doc, clause_id="a1", clause=clause, quote="原文")


async def stream(question: str) -> AsyncIterator[Event]:
    if "拒" in question:
        yield Done(status=Status.NO_SOURCE)
        return
    wrong = (citation("别的法", "第四条"),)
    right = (citation("中华人民共和国灯塔法", "第四条之一"),)
    yield Sentence(sentence_id=1, text="错", citations=wrong)
    yield Sentence(sentence_id=2, text="对", citations=right)
    yield Retract(sentence_ids=(1,), reason="")
    yield Done(status=Status.ANSWERED, timings={"total": 20.0})


async def test_counts(tmp_path: Path) -> None:
    cases = (
        {"id": 1, "question": "甲", "law": "灯塔法", "articles": ["第四条"]},
        {"id": 2, "question": "乙", "law": "别的法", "articles": ["第四条"]},
        {"id": 3, "question": "丙", "law": "风车法", "articles": ["第一条"],
         "also": [{"law": "灯塔法", "articles": ["第四条之一"]}]},
        {"id": 4, "question": "拒丁", "answerable": False},
        {"id": 5, "question": "戊", "answerable": False},
    )  # fmt: skip
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(json.dumps(c, ensure_ascii=False) for c in cases), encoding="utf-8")
    seen: list[tuple[int, int]] = []
    scores = await ask_all(path, stream, tmp_path, None, lambda n, total: seen.append((n, total)))
    assert (scores["n"], scores["answered"], scores["answerable"]) == (5, 4, 3)
    assert scores["article_cited"] == 2, "what was retracted is not cited"
    assert scores["unanswerable_answered"] == 1
    assert scores["total_ms"]["p50"] == 20.0
    assert seen[-1] == (5, 5)
    rows = Path(scores["rows"]).read_text(encoding="utf-8").splitlines()
    assert json.loads(rows[0])["answer"] == ["对"]
    assert (await ask_all(path, stream, tmp_path, 2, lambda n, total: None))["n"] == 2
