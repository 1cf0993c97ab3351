"""`zhengwu models`: the keys of its JSON, and failures that say what to do."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from zhengwu.cli.models import app
from zhengwu.models.catalogue import load_catalogue


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without weights whose every source is an empty folder."""
    monkeypatch.setenv("ZHENGWU_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("ZHENGWU_WEIGHT_SOURCES", "folder")
    monkeypatch.setenv("ZHENGWU_WEIGHT_FOLDER", str(tmp_path))


def test_list_as_json() -> None:
    result = CliRunner().invoke(app, ["list", "--json"])
    assert result.exit_code == 0
    cards = {card["name"]: card for card in json.loads(result.stdout)}
    assert len(cards) == len(load_catalogue().all())
    smaller = cards["qwen2.5-coder-0.5b-instruct-q4"]
    assert smaller["local"] is None
    assert smaller["bytes"] == 491_400_064
    assert smaller["sha256"].startswith("1d961463")
    assert {"kind", "openness", "licence", "context_tokens", "grade_allowed", "filing_number"} <= (
        smaller.keys()
    )
    assert {"price", "engine", "resources", "sources"} <= smaller.keys()


def test_list_for_people() -> None:
    result = CliRunner().invoke(app, ["list"])
    assert result.exit_code == 0
    assert "qwen2.5-coder-1.5b-instruct-q4" in result.stdout


@pytest.mark.parametrize("command", ["pull", "verify"])
def test_an_unknown_model(command: str) -> None:
    result = CliRunner().invoke(app, [command, "qwen2.5-coder-1.5b", "--json"])
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "unknown_model"
    assert "qwen2.5-coder-1.5b-instruct-q4" in error["message"]


def test_no_source_has_it() -> None:
    result = CliRunner().invoke(app, ["pull", "qwen2.5-coder-0.5b-instruct-q4"])
    assert result.exit_code == 1
    assert "folder" in result.stderr
    assert "Traceback" not in result.output


def test_verify_says_which_file_is_wrong(tmp_path: Path) -> None:
    card = load_catalogue().get("all-minilm-l6-v2")
    folder = tmp_path / "weights" / card.name
    for file in card.files:
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            stream.truncate(file.bytes)  # of the right size, all zeros
    result = CliRunner().invoke(app, ["verify", card.name, "--json"])
    assert result.exit_code == 1
    rows = json.loads(result.stdout)[card.name]
    assert len(rows) == len(card.files)
    assert not any(row["ok"] for row in rows)
