"""Whole runs over a tiny set: real ingestion, search and path, a scripted chat model."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.agents.qa.town import BAD, GOOD, ScriptedChat
from tests.eval.shelf import write_set
from tests.rag.shelf import HashEmbedder

from zhengwu.agents.qa.events import Citation, Sentence, Status
from zhengwu.eval.answers.evaluate import row, score
from zhengwu.eval.asked import Asked
from zhengwu.eval.cases import Case, Doc, read_docs
from zhengwu.eval.errors import EvalError
from zhengwu.eval.refusal.generate import Without
from zhengwu.eval.tasks import Engines, Run, answer, refuse, retrieval
from zhengwu.eval.workspace import KB, workspace
from zhengwu.models.errors import ModelError
from zhengwu.rag.snapshot import Request


def quiet(done: int, total: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    docs, cases, others = write_set(tmp_path)
    return Run(docs, cases, tmp_path / "out", others)


def has_answer(asked: str) -> float:
    """A judge that knows: each question's own subject must stand in the evidence."""
    question, evidence = asked.split("资料：")
    subject = next(word for word in ("灯塔许可", "渔船补贴", "水井取水") if word in question)
    return GOOD if subject in evidence else BAD


def report(run: Run, task: str) -> dict[str, Any]:
    (path,) = (p for p in run.out.glob(f"{task}-*.json"))
    return json.loads(path.read_text(encoding="utf-8"))


async def test_retrieval(run: Run) -> None:
    embedder = HashEmbedder()
    scores = await retrieval(run, Engines(embedder=embedder, embed_model="hash"), quiet)
    names = {
        "recall@1", "recall@5", "recall@10", "mrr@10", "ndcg@10", "strict_recall@1",
        "strict_mrr@10", "n", "chunks", "index_seconds", "latency_ms",
    }  # fmt: skip
    assert names <= scores.keys() and scores["n"] == 3 and scores["chunks"] >= 5
    assert scores["recall@1"] == scores["recall@10"] == 1.0 >= scores["strict_recall@1"]
    assert embedder.embedded > 0
    head = report(run, "retrieval")
    assert head["scores"] == scores
    assert head["configuration"]["embed_model"] == "hash"
    assert head["configuration"]["distractors_digest"]
    assert head["data"].keys() == {"docs.jsonl", "cases.jsonl"}
    before = embedder.embedded
    await retrieval(run, Engines(embedder=embedder, embed_model="hash"), quiet)
    assert embedder.embedded == before, "vectors are kept beside the results"


async def test_answers(run: Run) -> None:
    chat = ScriptedChat(margin=has_answer)
    engines = Engines(chat=chat, chat_model="m")
    done: list[tuple[int, int]] = []
    scores = await answer(run, engines, "chat", lambda n, total: done.append((n, total)))
    assert (scores["n"], scores["answered"], scores["refused"]) == (3, 3, 0)
    assert scores["quote_verbatim"] == 1.0 and scores["citation_recall"] == 1.0
    assert 0 < scores["rouge_l"] <= 1
    assert scores["first_source_ms"]["p50"] > 0 and scores["total_ms"]["p95"] > 0
    assert done == [(1, 3), (2, 3), (3, 3)]
    calls = len(chat.asked)
    again = await answer(run, engines, "chat", quiet)
    assert len(chat.asked) == calls, "no call is made twice"
    assert again["rouge_l"] == scores["rouge_l"]
    assert again["total_ms"] == {"p50": 0.0, "p95": 0.0}, "a cached answer has no time"


async def test_answers_resume_where_they_stopped(run: Run) -> None:
    def failing(asked: str) -> float:
        if "水井" in asked.split("资料：")[0]:
            raise RuntimeError("killed")
        return has_answer(asked)

    with pytest.raises(RuntimeError, match="killed"):
        await answer(run, Engines(chat=ScriptedChat(margin=failing)), "chat", quiet)
    chat = ScriptedChat(margin=has_answer)
    resumed = replace(run, resume=True)
    done: list[int] = []
    scores = await answer(resumed, Engines(chat=chat), "chat", lambda n, total: done.append(n))
    assert scores["n"] == 3 and done == [3]
    assert all("水井" in text for _, text, _ in chat.asked)


async def test_refusal(run: Run) -> None:
    chat = ScriptedChat(margin=has_answer)
    scores = await refuse(run, Engines(chat=chat, chat_model="m"), "chat", quiet)
    assert (scores["n"], scores["auc"]) == (3, 1.0)
    assert (scores["refused_without"], scores["refused_with"]) == (1.0, 0.0)
    assert "phrase" not in chat.kinds(), "what is said after the decision is not asked for"
    rows = next(run.out.glob("refusal-*.rows.jsonl")).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in rows] == ["1", "2", "3"]


async def test_without_leaves_documents_out(run: Run) -> None:
    docs = read_docs(run.docs)
    async with workspace(docs, run.distractors, None) as space:
        knowledge = Without(space.engine, space.folder, None)
        request = Request("渔船补贴每年多少元", None, top=50)

        async def found() -> set[str]:
            return {hit.document.doc_id for hit in await knowledge.search(KB, request)}

        everything = await found()
        assert {docs[1].docid, "copy"} <= everything
        knowledge.excluded = frozenset({docs[1].docid, "copy"})
        assert await found() == everything - knowledge.excluded
        folder = space.folder.parent
        assert folder.exists()
    assert not folder.exists(), "nothing is left behind"


async def test_a_document_that_cannot_go_in_stops_the_run() -> None:
    docs = [Doc(docid="empty", text=" "), Doc(docid="line", text="渔船补贴九百元")]
    with pytest.raises(EvalError, match="1 个评测文件.*empty"):
        async with workspace(docs, None, None):
            pass
    async with workspace(docs[1:], None, None) as space:
        hits = await space.knowledge.search(KB, Request("渔船补贴", None))
        assert [hit.document.doc_id for hit in hits] == ["line"]


async def test_a_model_that_is_down_is_a_row_not_a_crash(run: Run) -> None:
    chat = ScriptedChat(broken=frozenset({"judge"}))
    scores = await answer(run, Engines(chat=chat), "chat", quiet)
    assert scores["answered"] == 0 and scores["rouge_l"] == 0.0
    assert issubclass(ModelError, Exception)


CASE = Case(id="1", question="问", docid="d", answer="十五日内办结")
DOCS = [Doc(docid="d", text="应当 十五日内\n办结。"), Doc(docid="e", text="应当登记。")]


def asked(status: Status, *quotes: tuple[str, str]) -> Asked:
    citations = tuple(
        Citation(ref=1, doc_id=doc, doc=doc, clause_id="a1", clause="第一条", quote=quote)
        for doc, quote in quotes
    )
    text = "十五日办结"
    sentence = Sentence(sentence_id=1, text=text, citations=citations)
    return Asked(status, text, (sentence,), citations, 0.9, {"total": 10.0, "first_token": 5.0})


def test_a_citation_is_right_by_document_and_half_of_the_answer() -> None:
    found = row(
        CASE,
        asked(
            Status.ANSWERED, ("d", "应当十五日内办结"), ("d", "应当"), ("e", "十五日内办结"),
            ("e", "应当登记。"),
        ),
        True,
        DOCS,
    )  # fmt: skip
    assert [c["right"] for c in found["citations"]] == [True, False, False, False]
    assert [c["verbatim"] for c in found["citations"]] == [True, True, False, True]
    # LCS 5 of 5 said and 6 wanted: 2·1·(5/6)/(1 + 5/6)
    assert found["rouge_l"] == round(10 / 11, 4)


def test_scores_of_answers() -> None:
    answered = row(CASE, asked(Status.ANSWERED, ("d", "十五日内办结")), True, DOCS)
    cached = row(CASE, asked(Status.ANSWERED_FAQ, ("e", "应当登记")), False, DOCS)
    refused = row(CASE, asked(Status.NO_SOURCE), True, DOCS)
    assert refused["rouge_l"] == 0.0 and refused["answer"] == "" and cached["timings"] == {}
    scores = score([answered, cached, refused])
    assert (scores["n"], scores["answered"], scores["refused"]) == (3, 2, 1)
    assert scores["citation_precision"] == 0.5
    assert scores["citation_recall"] == round(1 / 3, 4)
    assert scores["quote_verbatim"] == 1.0
    assert scores["rouge_l"] == round((2 * round(10 / 11, 4)) / 3, 4)
    assert scores["total_ms"] == {"p50": 10.0, "p95": 10.0}
    assert scores["first_source_ms"] == {"p50": 0.0, "p95": 0.0}
    assert score([])["n"] == 0
