"""What is said when there is no answer, and which questions are recognised at the door.

Both are reviewed data files; this module only reads them.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from zhengwu.agents.qa.events import NextStep, Status

DATA = files("zhengwu.agents.qa").joinpath("data")


@dataclass(frozen=True)
class Reply:
    """The canned text of one status, and where to go next."""

    text: str
    next_steps: tuple[NextStep, ...]


@dataclass(frozen=True)
class Guard:
    """A rule that ends a question before any model is asked."""

    status: Status
    pattern: re.Pattern[str]
    source: str


@cache
def reply(status: Status) -> Reply:
    """The canned reply of a status; empty for those that have an answer of their own."""
    given = _read("replies.yaml")["replies"].get(status.value)
    if given is None:
        return Reply("", ())
    return Reply(given["text"], tuple(NextStep(**step) for step in given["steps"]))


@cache
def ai_label() -> str:
    """What every answer says of itself (GB 45438-2025)."""
    return str(_read("replies.yaml")["ai_label"])


@cache
def guards() -> tuple[Guard, ...]:
    """The rules of the door, in order."""
    return tuple(
        Guard(Status(rule["status"]), re.compile(pattern, re.IGNORECASE), rule["source"])
        for rule in _read("guards.yaml")["rules"]
        for pattern in rule["patterns"]
    )


def _read(name: str) -> dict[str, Any]:
    return yaml.safe_load(DATA.joinpath(name).read_text(encoding="utf-8"))
