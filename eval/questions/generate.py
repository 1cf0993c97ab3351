"""Ask every question of a file and keep answer, citations and times, for judging by hand.

What code can tell is told: whether the law and article that the case names were cited, whether a
question without an answer was refused, and whether every quotation is marked as checked.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, cast

from zhengwu.agents.qa.events import Done, Event, Sentence
from zhengwu.eval.errors import BadCases
from zhengwu.eval.ranking import spread
from zhengwu.eval.report import write_run

Events = AsyncIterator[Event]
Ask = Callable[[str], Events]
Progress = Callable[[int, int], None]


async def ask_all(
    cases: Path, ask: Ask, out: Path, limit: int | None, progress: Progress
) -> dict[str, Any]:
    """Ask, write the rows, and return the counts."""
    given = read_questions(cases)[:limit]
    rows: list[dict[str, Any]] = []
    for case in given:
        rows.append(await _row(case, ask(str(case["question"]))))
        progress(len(rows), len(given))
    scores = count(rows)
    path = write_run(out, "questions", scores, rows, {"limit": limit}, [cases])
    return {**scores, "rows": str(path.with_suffix(".rows.jsonl"))}


def read_questions(path: Path) -> list[dict[str, Any]]:
    """The cases of a file, each with at least `id` and `question`.

    Raises:
        BadCases: the file is missing, or a line has neither.
    """
    if not path.is_file():
        raise BadCases(f"没有评测文件 {path}；请检查路径")
    cases: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            try:
                case: object = json.loads(line)
            except json.JSONDecodeError as error:
                raise BadCases(f"{path} 第 {number} 行不合格式：{error}") from error
            if not isinstance(case, dict) or "id" not in case or "question" not in case:
                raise BadCases(f"{path} 第 {number} 行缺少 id 或 question")
            cases.append(cast(dict[str, Any], case))
    return cases


def count(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What code can count; whether an answer is right is judged by a person."""
    answerable = [row for row in rows if row["answerable"]]
    others = [row for row in rows if not row["answerable"]]
    names = ("first_source", "first_token", "total")
    return {
        "n": len(rows),
        "answered": sum(row["answered"] for row in rows),
        "article_cited": sum(row["article_cited"] for row in answerable),
        "answerable": len(answerable),
        "unanswerable_answered": sum(row["answered"] for row in others),
        **{
            f"{name}_ms": spread([r["timings"][name] for r in rows if name in r["timings"]])
            for name in names
        },
    }


async def _row(case: Mapping[str, Any], events: Events) -> dict[str, Any]:
    sentences: dict[int, Sentence] = {}
    done: Done | None = None
    async for event in events:
        if event.event == "sentence":
            sentences[event.sentence_id] = event
        elif event.event == "retract":
            for gone in event.sentence_ids:
                sentences.pop(gone, None)
        elif event.event == "done":
            done = event
    assert done is not None, "the client raises when a stream has no end"
    citations = [c.model_dump() for s in sentences.values() for c in s.citations]
    return {
        **case,
        "answerable": bool(case.get("answerable", True)),
        "status": done.status.value,
        "answered": done.status.value in ("answered", "answered_faq"),
        "answer": [s.text for s in sentences.values()],
        "citations": citations,
        "article_cited": _cited(case, citations),
        "confidence": done.confidence,
        "timings": done.timings,
    }


def _cited(case: Mapping[str, Any], citations: list[dict[str, Any]]) -> bool:
    """Whether one of the case's articles of its law is among the citations."""
    accepted = [case, *case.get("also", ())]
    wanted = [(one.get("law"), article) for one in accepted for article in one.get("articles", ())]
    return any(
        str(law) in citation["doc"] and str(article) in citation["clause"]
        for law, article in wanted
        for citation in citations
    )
