"""Every figure that a dashboard or an alert names is one that the gateway gives out."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from zhengwu.gateway.metrics import Metrics
from zhengwu.gateway.telemetry import states

FOLDER = Path(__file__).resolve().parents[3] / "gateway" / "dashboards"
BOARDS = sorted(FOLDER.glob("*.json"))
NAME = re.compile(r"\b(?:zhengwu|gen_ai|process|python)_[a-z0-9_]+")
SUFFIXES = ("_total", "_bucket", "_sum", "_count", "_created")


def given_out() -> set[str]:
    metrics = Metrics()
    metrics.watch(
        [
            states.breaker_state(lambda: {"a": "open"}),
            states.waiting_calls(lambda: {"a": 1}),
            states.occupied_slots(lambda: {"a": 1}),
            states.slots(lambda: {"a": 8}),
            states.audit_waiting(lambda: 3),
            states.audit_failing(lambda: False),
        ]
    )
    names: set[str] = set()
    for family in text_string_to_metric_families(metrics.text().decode()):
        names.add(family.name)
        if family.type == "counter":
            names.add(f"{family.name}_total")
        if family.type == "histogram":
            names.add(f"{family.name}_bucket")
    return names


def expressions(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["expr"]] if isinstance(value.get("expr"), str) else []
        return own + [e for inner in value.values() for e in expressions(inner)]
    return [e for inner in value for e in expressions(inner)] if isinstance(value, list) else []


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_names_only_what_there_is(path: Path) -> None:
    board = json.loads(path.read_text("utf-8"))
    told = expressions(board["panels"])
    assert len(told) >= len(board["panels"]) > 0
    for expr in told:
        names = NAME.findall(expr)
        assert names, expr
        assert set(names) <= given_out(), expr
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_alerts_name_only_what_there_is_and_say_what_to_do() -> None:
    rules = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"][0]["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 0
    for rule in rules:
        assert set(NAME.findall(rule["expr"])) <= given_out(), rule["alert"]
        assert rule["annotations"]["summary"]
        assert "请" in rule["annotations"]["description"]


def test_every_figure_of_ours_is_shown_somewhere() -> None:
    shown = " ".join(path.read_text("utf-8") for path in FOLDER.iterdir())
    ours = {n for n in given_out() if n.startswith(("zhengwu_", "gen_ai_"))}
    base = {n.removesuffix("_bucket").removesuffix("_total") for n in ours}
    hidden = {"zhengwu_requests", "zhengwu_request_seconds"}
    assert {n for n in base if n not in shown} <= hidden
