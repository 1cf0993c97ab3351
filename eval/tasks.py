"""Run a task from files to a written report: what each `zhengwu eval` command calls.

Rows are appended as they come, so `--resume` goes on where a run stopped; model calls are kept by
model and prompt digest.
"""

import json
import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zhengwu.agents.qa.chat import Chat
from zhengwu.agents.qa.path import citizen_qa
from zhengwu.eval.answers import evaluate as answers
from zhengwu.eval.answers.generate import answer_all
from zhengwu.eval.cache import CachedEmbedder, CallCache, digest
from zhengwu.eval.cached_chat import CachedChat
from zhengwu.eval.cases import Case, Doc, file_digest, folder_digest, read_cases, read_docs
from zhengwu.eval.refusal import evaluate as refusal
from zhengwu.eval.refusal.generate import ask_pairs
from zhengwu.eval.report import write_run
from zhengwu.eval.retrieval.evaluate import score as score_retrieval
from zhengwu.eval.retrieval.generate import rank
from zhengwu.eval.workspace import Workspace, workspace
from zhengwu.rag.knowledge import Embedder

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Run:
    """What a task runs on."""

    docs: Path
    cases: Path
    out: Path
    distractors: Path | None = None
    limit: int | None = None
    seed: int = 0
    resume: bool = False


@dataclass(frozen=True)
class Engines:
    """The models of a run: their clients and their names. None runs without."""

    chat: Chat | None = None
    chat_model: str = ""
    chat_digest: str | None = None
    """SHA-256 of the weights, where the catalogue knows it."""
    embedder: Embedder | None = None
    embed_model: str = ""
    embed_digest: str | None = None


async def retrieval(run: Run, engines: Engines, progress: Progress) -> dict[str, Any]:
    """`eval retrieval`: scores as DESIGN §6 names them."""
    docs, cases = read_docs(run.docs), sample(read_cases(run.cases), run)
    async with _space(run, engines, docs) as (space, _):
        scores, rows = score_retrieval(await rank(space, cases), docs)
    scores |= _built(space)
    _write("retrieval", run, engines, scores, rows)
    progress(len(cases), len(cases))
    return scores


async def answer(run: Run, engines: Engines, chat_route: str, progress: Progress) -> dict[str, Any]:
    """`eval answers`."""
    docs, cases = read_docs(run.docs), sample(read_cases(run.cases), run)
    kept = Rows(run, "answers", engines)
    async with _space(run, engines, docs) as (space, cache):
        chat = CachedChat(_chat(engines), engines.chat_model, cache)
        path = citizen_qa(space.engine, space.knowledge, chat, chat_route)
        async for case, asked, timed in answer_all(path, chat, kept.missing(cases)):
            kept.add(answers.row(case, asked, timed, docs))
            progress(len(kept.rows), len(cases))
    scores = answers.score(kept.rows) | _built(space)
    _write("answers", run, engines, scores, kept.rows)
    return scores


async def refuse(run: Run, engines: Engines, chat_route: str, progress: Progress) -> dict[str, Any]:
    """`eval refusal`."""
    docs, cases = read_docs(run.docs), sample(read_cases(run.cases), run)
    kept = Rows(run, "refusal", engines)
    async with _space(run, engines, docs) as (space, cache):
        chat = CachedChat(_chat(engines), engines.chat_model, cache)
        async for pair in ask_pairs(space, chat, chat_route, kept.missing(cases), docs):
            row = asdict(pair)
            kept.add({"id": pair.case.id, "question": pair.case.question, **row, "case": None})
            progress(len(kept.rows), len(cases))
    scores = refusal.score(kept.rows) | _built(space)
    _write("refusal", run, engines, scores, kept.rows)
    return scores


class Rows:
    """The rows of a run, on disk as soon as they are there."""

    def __init__(self, run: Run, task: str, engines: Engines) -> None:
        name = digest(task, json.dumps(_configuration(run, engines), sort_keys=True, default=str))
        self._path = run.out / f"{task}-{name[:12]}.partial.jsonl"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not run.resume:
            self._path.unlink(missing_ok=True)
        self.rows: list[dict[str, Any]] = self._whole()

    def _whole(self) -> list[dict[str, Any]]:
        """The rows that were written to their end; what a kill tore off is taken away."""
        if not self._path.exists():
            return []
        lines = self._path.read_bytes().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        if len(whole) < len(lines):
            self._path.write_bytes(b"".join(whole))
        return [json.loads(line) for line in whole]

    def missing(self, cases: Sequence[Case]) -> list[Case]:
        """The cases that have no row yet."""
        known = {row["id"] for row in self.rows}
        return [case for case in cases if case.id not in known]

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row."""
        self.rows.append(row)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def sample(cases: list[Case], run: Run) -> list[Case]:
    """`--limit` cases drawn with `--seed`; all without a limit."""
    if run.limit is None or run.limit >= len(cases):
        return cases
    return random.Random(run.seed).sample(cases, run.limit)


@asynccontextmanager
async def _space(
    run: Run, engines: Engines, docs: list[Doc]
) -> AsyncGenerator[tuple[Workspace, CallCache]]:
    cache = CallCache(run.out / "calls.db")
    embedder = engines.embedder
    if embedder:
        embedder = CachedEmbedder(embedder, engines.embed_model, cache)
    try:
        async with workspace(docs, run.distractors, embedder) as space:
            yield space, cache
    finally:
        cache.close()


def _chat(engines: Engines) -> Chat:
    assert engines.chat is not None, "the command opens a chat model for this task"
    return engines.chat


def _built(space: Workspace) -> dict[str, Any]:
    return {
        "chunks": space.chunks,
        "index_seconds": space.index_seconds,
        "embed_seconds": space.embed_seconds,
    }


def _configuration(run: Run, engines: Engines) -> dict[str, Any]:
    return {
        "limit": run.limit,
        "seed": run.seed,
        "distractors": str(run.distractors.name) if run.distractors else None,
        "distractors_digest": folder_digest(run.distractors) if run.distractors else None,
        "chat_model": engines.chat_model,
        "chat_digest": engines.chat_digest,
        "embed_model": engines.embed_model,
        "embed_digest": engines.embed_digest,
        "docs": file_digest(run.docs),
        "cases": file_digest(run.cases),
    }


def _write(
    task: str,
    run: Run,
    engines: Engines,
    scores: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    configuration = _configuration(run, engines)
    write_run(run.out, task, scores, rows, configuration, [run.docs, run.cases])
