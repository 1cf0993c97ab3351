"""Score answers: overlap with the gold answer, and whether each citation is right and verbatim."""

from collections.abc import Mapping, Sequence
from typing import Any

from zhengwu.eval.asked import Asked
from zhengwu.eval.cases import Case, Doc, relevant
from zhengwu.eval.ranking import spread
from zhengwu.eval.text_overlap import coverage, rouge_l
from zhengwu.rag.text.normalise import squash

HALF = 0.5


def row(case: Case, asked: Asked, timed: bool, docs: list[Doc]) -> dict[str, Any]:
    """What is kept of one case. A refusal scores 0."""
    texts = {doc.docid: squash(doc.text) for doc in docs}
    right_documents = relevant(case, docs)
    citations = [
        {
            "doc": citation.doc_id,
            "clause": citation.clause_id,
            "quote": citation.quote,
            "right": citation.doc_id in right_documents
            and coverage(citation.quote, case.answer) >= HALF,
            "verbatim": squash(citation.quote) in texts.get(citation.doc_id, ""),
        }
        for citation in asked.citations
    ]
    return {
        "id": case.id,
        "question": case.question,
        "gold": case.answer,
        "status": asked.status.value,
        "answer": asked.answer if asked.answered else "",
        "rouge_l": round(rouge_l(asked.answer, case.answer), 4) if asked.answered else 0.0,
        "citations": citations,
        "confidence": asked.confidence,
        "timings": asked.timings if timed else {},
    }


def score(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The scores of a run."""
    answered = [r for r in rows if r["answer"]]
    citations = [citation for r in rows for citation in r["citations"]]
    with_right = [r for r in rows if any(c["right"] for c in r["citations"])]
    return {
        "n": len(rows),
        "rouge_l": _mean([r["rouge_l"] for r in rows]),
        "answered": len(answered),
        "refused": len(rows) - len(answered),
        "citation_precision": _mean([float(c["right"]) for c in citations]),
        "citation_recall": round(len(with_right) / len(rows), 4) if rows else 0.0,
        "quote_verbatim": _mean([float(c["verbatim"]) for c in citations]),
        **{f"{name}_ms": spread(_times(rows, name)) for name in TIMES},
    }


TIMES = ("first_source", "first_token", "total")


def _times(rows: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [r["timings"][name] for r in rows if name in r["timings"]]


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0
