"""Model calls that are kept, and rows that survive a kill."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.agents.qa.town import ScriptedChat
from tests.rag.shelf import HashEmbedder

from zhengwu.eval.cache import CachedEmbedder, CallCache, digest
from zhengwu.eval.cached_chat import CachedChat
from zhengwu.eval.cases import Case
from zhengwu.eval.report import write_run
from zhengwu.eval.tasks import Engines, Rows, Run, sample
from zhengwu.models.wire import ChatRequest, Message

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[CallCache]:
    opened = CallCache(tmp_path / "deep" / "calls.db")
    yield opened
    opened.close()


def asking(text: str) -> ChatRequest:
    return ChatRequest(messages=(Message(role="user", content=text),), top_logprobs=20)


def case(number: int) -> Case:
    return Case(id=str(number), question=f"问{number}", docid="d", answer="答")


def run(tmp_path: Path, resume: bool = False, limit: int | None = None, seed: int = 0) -> Run:
    for name in ("docs", "cases"):
        (tmp_path / f"{name}.jsonl").write_text("{}", encoding="utf-8")
    docs, cases = tmp_path / "docs.jsonl", tmp_path / "cases.jsonl"
    return Run(docs, cases, tmp_path / "out", limit=limit, seed=seed, resume=resume)


async def test_a_reply_is_asked_for_once_and_comes_back_whole(cache: CallCache) -> None:
    inner = ScriptedChat()
    chat = CachedChat(inner, "m", cache)
    assert chat.fresh()
    first = await chat.complete(asking("甲"), 1)
    assert chat.fresh() and len(inner.asked) == 1
    again = await chat.complete(asking("甲"), 1)
    assert again == first and again.logprobs == first.logprobs and len(inner.asked) == 1
    assert not chat.fresh(), "what was reused has no time of its own"
    assert chat.fresh(), "asked anew each time"
    await chat.complete(asking("乙"), 1)
    await CachedChat(inner, "other", cache).complete(asking("甲"), 1)
    assert len(inner.asked) == 3


async def test_a_cache_outlives_its_process(tmp_path: Path) -> None:
    asked: list[int] = []
    for _ in range(2):
        opened = CallCache(tmp_path / "calls.db")
        inner = ScriptedChat()
        await CachedChat(inner, "m", opened).complete(asking("甲"), 1)
        opened.close()
        asked.append(len(inner.asked))
    assert asked == [1, 0]


async def test_vectors_are_kept_by_model_kind_and_text(cache: CallCache) -> None:
    inner = HashEmbedder()
    embedder = CachedEmbedder(inner, "e", cache)
    first = await embedder.embed(["灯塔", "风车"], "passage")
    assert first.dtype == np.float32 and first.shape == (2, 64)
    again = await embedder.embed(["风车", "水井", "灯塔"], "passage")
    assert inner.embedded == 3
    assert np.array_equal(again[[2, 0]], first)
    await embedder.embed(["灯塔"], "query")
    await CachedEmbedder(inner, "other", cache).embed(["灯塔"], "passage")
    assert inner.embedded == 5


def test_keys_do_not_run_together() -> None:
    assert digest("ab", "c") != digest("a", "bc")


def test_rows_go_on_where_a_run_stopped(tmp_path: Path) -> None:
    cases = [case(n) for n in range(4)]
    rows = Rows(run(tmp_path), "answers", Engines(chat_model="m"))
    rows.add({"id": "0", "答": "甲\u2028"})
    rows.add({"id": "2"})
    resumed = Rows(run(tmp_path, resume=True), "answers", Engines(chat_model="m"))
    assert resumed.rows == [{"id": "0", "答": "甲\u2028"}, {"id": "2"}]
    assert [c.id for c in resumed.missing(cases)] == ["1", "3"]
    other = Rows(run(tmp_path, resume=True), "answers", Engines(chat_model="another"))
    assert not other.rows, "rows of another model are another run's"
    assert not Rows(run(tmp_path), "answers", Engines(chat_model="m")).rows


def test_a_row_torn_by_a_kill_is_done_again(tmp_path: Path) -> None:
    rows = Rows(run(tmp_path), "answers", Engines())
    rows.add({"id": "0"})
    (path,) = (tmp_path / "out").glob("*.partial.jsonl")
    with path.open("a", encoding="utf-8") as file:
        file.write('{"id": "1", "ans')
    resumed = Rows(run(tmp_path, resume=True), "answers", Engines())
    assert resumed.rows == [{"id": "0"}]
    resumed.add({"id": "1"})
    assert Rows(run(tmp_path, resume=True), "answers", Engines()).rows == [{"id": "0"}, {"id": "1"}]


def test_what_was_added_is_there_after_kill_9(tmp_path: Path) -> None:
    given = run(tmp_path)
    code = f"""
import sys, time
from pathlib import Path
from zhengwu.eval.tasks import Engines, Rows, Run
out = Path({str(tmp_path)!r})
rows = Rows(Run(out / "docs.jsonl", out / "cases.jsonl", out / "out"), "answers", Engines())
for n in range(10**6):
    rows.add({{"id": str(n), "text": "字" * 2000}})
    print(n, flush=True)
"""
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert child.stdout is not None
    said = -1
    for _ in range(30):
        said = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    kept = Rows(replace(given, resume=True), "answers", Engines()).rows
    assert len(kept) > said
    assert [row["id"] for row in kept] == [str(n) for n in range(len(kept))]


def test_a_sample_is_drawn_by_its_seed(tmp_path: Path) -> None:
    cases = [case(n) for n in range(50)]
    drawn = sample(cases, run(tmp_path, limit=5, seed=3))
    assert drawn == sample(cases, run(tmp_path, limit=5, seed=3)) and len(drawn) == 5
    assert drawn != sample(cases, run(tmp_path, limit=5, seed=4))
    assert sample(cases, run(tmp_path)) == sample(cases, run(tmp_path, limit=50)) == cases


def test_a_report_holds_scores_configuration_digests_and_every_row(tmp_path: Path) -> None:
    data = tmp_path / "docs.jsonl"
    data.write_text("abc", encoding="utf-8")
    rows = [{"id": "1", "问": "甲"}, {"id": "2"}]
    path = write_run(tmp_path / "out", "retrieval", {"n": 2}, rows, {"seed": 0}, [data])
    head = json.loads(path.read_text(encoding="utf-8"))
    assert head["task"] == "retrieval" and head["scores"] == {"n": 2}
    assert head["configuration"] == {"seed": 0} and head["date"] and head["machine"]
    sha256_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert head["data"] == {"docs.jsonl": sha256_of_abc}
    kept = path.with_suffix(".rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in kept] == rows
    again = write_run(tmp_path / "out", "retrieval", {"n": 2}, rows, {"seed": 0}, [data])
    assert again != path, "a second run never overwrites the first"
