"""`zhengwu key`: what is shown, and that a key is shown once."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from zhengwu.cli.keys import app


@pytest.fixture
def run(tmp_path: Path) -> CliRunner:
    return CliRunner(env={"ZHENGWU_HOME": str(tmp_path)})


def test_create_list_revoke(run: CliRunner) -> None:
    made = json.loads(run.invoke(app, ["create", "办公系统", "--days", "30", "--json"]).stdout)
    assert made["key"].startswith("zw-") and made["role"] == "app" and made["expires"]
    shown = run.invoke(app, ["list"]).stdout
    assert "办公系统" in shown and "有效" in shown and made["key"] not in shown
    assert run.invoke(app, ["revoke", made["id"]]).exit_code == 0
    [listed] = json.loads(run.invoke(app, ["list", "--json"]).stdout)
    assert listed["revoked"] and "key" not in listed and "digest" not in listed


def test_revoking_what_is_not_there(run: CliRunner) -> None:
    result = run.invoke(app, ["revoke", "nobody", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "unknown_key"


def test_only_known_roles(run: CliRunner) -> None:
    assert run.invoke(app, ["create", "x", "--role", "root"]).exit_code == 2
