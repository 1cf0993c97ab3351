"""`zhengwu tenant`, `key` and `user`: what is shown, and that secrets are shown once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from zhengwu.cli.app import app

Command = Callable[..., Result]


@pytest.fixture
def zhengwu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("ZHENGWU_HOME", str(tmp_path))
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def said(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(result: Result) -> str:
    assert result.exit_code == 1, result.output
    return json.loads(result.stderr)["error"]["code"]


def test_keys(zhengwu: Command) -> None:
    made = said(zhengwu("key", "create", "办公系统", "--days", 30, "--json"))
    assert made["key"].startswith("zw-") and made["role"] == "developer" and made["expires"]
    shown = zhengwu("key", "list").stdout
    assert made["id"] in shown and made["key"] not in shown
    rotated = said(zhengwu("key", "rotate", made["id"], "--overlap-hours", 1, "--json"))
    assert rotated["key"] != made["key"] and rotated["old_until"]
    assert zhengwu("key", "revoke", made["id"]).exit_code == 0
    [listed] = said(zhengwu("key", "list", "--json"))
    assert listed["revoked"] and "key" not in listed and "digest" not in listed
    assert refused(zhengwu("key", "revoke", "nobody", "--json")) == "unknown_key"
    assert refused(zhengwu("key", "create", "x", "--role", "root", "--json")) == "bad_value"


def test_tenants(zhengwu: Command) -> None:
    city = said(zhengwu("tenant", "create", "示范市", "--level", "city", "--json"))
    office = said(zhengwu("tenant", "create", "民政局", "--parent", city["id"], "--json"))
    assert office["path"] == ["root", city["id"], office["id"]]
    changed = said(
        zhengwu(
            *("tenant", "update", city["id"], "--ceiling", 2, "--model", "chat"),
            *("--limit", "concurrency=20", "--json"),
        )
    )
    assert changed["effective"]["limits"][0]["amount"] == 20
    found = said(zhengwu("tenant", "show", office["id"], "--json"))["effective"]
    assert (found["grade_ceiling"], found["models"]) == (2, ["chat"])
    assert "民政局" in zhengwu("tenant", "show", office["id"]).stdout
    wider = zhengwu("tenant", "update", office["id"], "--ceiling", 3, "--json")
    assert refused(wider) == "bounds_exceeded"
    free = said(zhengwu("tenant", "update", city["id"], "--unset", "models", "--json"))
    assert free["models"] is None and free["grade_ceiling"] == 2
    assert said(zhengwu("tenant", "suspend", city["id"], "--json"))["state"] == "suspended"
    listed = {
        one["id"]: one["effective"]["state"] for one in said(zhengwu("tenant", "list", "--json"))
    }
    assert listed == {"root": "active", city["id"]: "suspended", office["id"]: "suspended"}
    assert said(zhengwu("tenant", "resume", city["id"], "--json"))["state"] == "active"
    assert refused(zhengwu("tenant", "show", "nowhere", "--json")) == "unknown_tenant"


def test_users(zhengwu: Command) -> None:
    made = said(zhengwu("user", "create", "zhang.san", "--role", "security_admin", "--json"))
    assert len(made["password"]) == 19 and made["must_change"]
    shown = zhengwu("user", "list").stdout
    assert made["id"] in shown and made["password"] not in shown
    assert said(zhengwu("user", "disable", "zhang.san", "--json"))["state"] == "disabled"
    assert said(zhengwu("user", "enable", made["id"], "--json"))["state"] == "active"
    assert said(zhengwu("user", "reset-totp", "zhang.san", "--json"))["second_factor"] is False
    assert said(zhengwu("user", "reset", "zhang.san", "--json"))["password"] != made["password"]
    grant = ("user", "grant", "zhang.san", "--role", "audit_admin", "--json")
    assert said(zhengwu(*grant))["role"] == "audit_admin"
    again = zhengwu("user", "create", "Zhang.San", "--role", "developer", "--json")
    assert refused(again) == "name_taken"
    assert refused(zhengwu("user", "disable", "nobody", "--json")) == "unknown_user"
