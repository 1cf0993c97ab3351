"""`zhengwu kb` and `zhengwu eval` as a person runs them, on a home of the test's own."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.eval.shelf import write_set
from tests.rag.shelf import write
from typer.testing import CliRunner, Result

from zhengwu.cli.app import app
from zhengwu.serving.events import StackState, write_state
from zhengwu.serving.supervisor import hold_lock

ROOT = Path(__file__).resolve().parents[3]
Command = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZHENGWU_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ZHENGWU_KB", "town")
    return tmp_path / "home"


@pytest.fixture
def zhengwu(home: Path) -> Command:
    def run(*words: object) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words])

    return run


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    law = "第一条 灯塔许可应当在十五日内办结。\n\n第二条 本条例自2020年1月1日起施行。"
    write(folder, "law.md", "灯塔条例", law, region="示范省")
    write(folder, "boat.md", "渔船补贴办法", "渔船补贴每年九百元。")
    return folder


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(result: Result) -> dict[str, str]:
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    return json.loads(result.stderr)["error"]


def test_in_found_opened_and_listed(zhengwu: Command, papers: Path) -> None:
    report = told(zhengwu("kb", "ingest", papers, "--json"))
    assert sorted(report["added"]) == ["boat", "law"] and not report["failed"]
    again = told(zhengwu("kb", "ingest", papers, "--json"))
    assert sorted(again["unchanged"]) == ["boat", "law"]
    hits = told(zhengwu("kb", "search", "灯塔许可多少日", "--json", "--top", 1))
    assert len(hits) == 1 and hits[0]["document"]["doc_id"] == "law"
    assert hits[0]["clause_ids"] == ["a1"] and hits[0]["scores"]["total"] > 0
    outline = told(zhengwu("kb", "show", "law", "--json"))
    assert {"a1", "a2"} <= {clause["clause_id"] for clause in outline}
    opened = told(zhengwu("kb", "show", "law", "--clause", "a1", "--json"))
    assert opened["text"] == "灯塔许可应当在十五日内办结。" and opened["effective_from"]
    (listed,) = told(zhengwu("kb", "list", "--json"))
    assert (listed["name"], listed["documents"], listed["embedded"]) == ("town", 2, 0)


def test_for_people(zhengwu: Command, papers: Path) -> None:
    assert "新增 2" in zhengwu("kb", "ingest", papers).stdout
    explained = zhengwu("kb", "search", "灯塔许可", "--explain").stdout
    assert "1. 灯塔条例" in explained and "合计" in explained and "向量" in explained
    assert "第一条" in zhengwu("kb", "show", "law").stdout
    assert "十五日内办结" in zhengwu("kb", "show", "law", "--clause", "a1").stdout
    assert "town" in zhengwu("kb", "list").stdout


def test_other_names_regions_and_days(zhengwu: Command, papers: Path) -> None:
    told(zhengwu("kb", "ingest", papers, "--kb", "other", "--json"))
    before = told(
        zhengwu("kb", "search", "灯塔许可", "--kb", "other", "--as-of", "2019-01-01", "--json")
    )
    assert "law" not in [hit["document"]["doc_id"] for hit in before]
    here = zhengwu("kb", "search", "灯塔许可", "--kb", "other", "--region", "示范省", "--json")
    assert told(here)[0]["document"]["doc_id"] == "law"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("ingest", "没有.md"), "knowledge", "没有.md"),
        (("ingest",), "knowledge", "用法：zhengwu kb ingest"),
        (("ingest", "PAPERS", "--kb", "不 行"), "bad_kb_name", "不 行"),
        (("search", "灯塔", "--kb", "无"), "unknown_kb", "kb ingest"),
        (("search", "灯塔", "--region", "火星市"), "unknown_region", "火星市"),
        (("search", "灯塔", "--as-of", "昨天"), "bad_question", "2024-05-01"),
        (("show", "没有"), "unknown_clause", "没有"),
        (("show", "law", "--clause", "a99"), "unknown_clause", "a99"),
        (("show", "law", "--kb", "无"), "unknown_clause", "无"),
    ],
)
def test_what_is_wrong_is_said_with_the_remedy(
    zhengwu: Command, papers: Path, words: tuple[str, ...], code: str, message: str
) -> None:
    told(zhengwu("kb", "ingest", papers, "--json"))
    given = [papers if word == "PAPERS" else word for word in words]
    error = refused(zhengwu("kb", *given, "--json"))
    assert error["code"] == code and message in error["message"]
    people = zhengwu("kb", *given)
    assert people.exit_code == 1 and "错误：" in people.stderr and not people.stdout


def test_one_broken_file_never_stops_the_rest(zhengwu: Command, papers: Path) -> None:
    (papers / "broken.docx").write_bytes(b"PK\x03\x04 not really")
    report = told(zhengwu("kb", "ingest", papers, "--json"))
    assert len(report["added"]) == 2
    ((path, reason),) = report["failed"].items()
    assert path.endswith("broken.docx") and reason
    assert "broken.docx" in zhengwu("kb", "ingest", papers).stderr


def test_while_a_stack_runs_its_worker_takes_the_papers_in(
    zhengwu: Command, papers: Path, home: Path
) -> None:
    """The lock of a running stack is held, and a real worker process does the work."""
    run_dir = home / "run"
    run_dir.mkdir(parents=True)
    state = StackState(pid=1, phase="up", started="2026-01-01T00:00:00+00:00", url="http://x")
    (home / "logs").mkdir()
    with hold_lock(run_dir):
        write_state(run_dir / "stack.json", state)
        results: list[Result] = []
        asking = threading.Thread(
            target=lambda: results.append(zhengwu("kb", "ingest", papers, "--json"))
        )
        asking.start()
        time.sleep(1.0)
        assert asking.is_alive(), "nobody else may write: it waits for the worker"
        assert not (home / "knowledge" / "town").exists()
        worker = subprocess.Popen(
            [sys.executable, "-m", "zhengwu.cli.app", "worker"],
            env={**_environment(), "ZHENGWU_HOME": str(home)},
            stderr=subprocess.PIPE,
        )
        try:
            asking.join(60)
            assert not asking.is_alive()
            assert sorted(told(results[0])["added"]) == ["boat", "law"]
            bad = refused(zhengwu("kb", "ingest", papers, "--kb", "不 行", "--json"))
            assert "不 行" in bad["message"]
        finally:
            worker.terminate()
            _, log = worker.communicate(timeout=30)
        assert worker.returncode == 0, log.decode()
    assert told(zhengwu("kb", "search", "灯塔许可", "--json"))


def test_retrieval_is_measured_without_any_engine(tmp_path: Path) -> None:
    docs, cases, others = write_set(tmp_path)
    command = [sys.executable, "-m", "zhengwu.cli.app", "eval", "retrieval", "--no-vectors"]
    given = ["--docs", docs, "--cases", cases, "--distractors", others, "--out", tmp_path / "out"]
    done = subprocess.run(
        [*command, *map(str, given), "--json", "--limit", "2", "--seed", "1"],
        env={**_environment(), "ZHENGWU_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)
    assert scores["n"] == 2 and scores["recall@1"] == 1.0 and scores["chunks"] >= 5
    (path,) = (p for p in (tmp_path / "out").glob("retrieval-*.json"))
    head = json.loads(path.read_text(encoding="utf-8"))
    assert head["configuration"]["limit"] == 2 and head["configuration"]["seed"] == 1
    assert head["configuration"]["embed_model"] == ""


def test_a_case_file_that_is_missing_is_told(zhengwu: Command, tmp_path: Path) -> None:
    docs, cases, _ = write_set(tmp_path)
    words = ("eval", "retrieval", "--no-vectors", "--json", "--out", tmp_path / "out")
    error = refused(zhengwu(*words, "--docs", docs, "--cases", tmp_path / "没有.jsonl"))
    assert error["code"] == "bad_cases" and "没有.jsonl" in error["message"]
    missing = zhengwu(*words, "--docs", docs, "--cases", cases, "--distractors", tmp_path / "无")
    assert missing.exit_code == 2


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}
