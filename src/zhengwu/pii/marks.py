"""Secrecy marks and words that set a grade by themselves, from reviewed data.

Finds a mark, not the subject: asking what 机密 means is no secret. Knows no personal data.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, cast

import yaml

from zhengwu.pii.plain import plain

_SPACE = re.compile(r"(?<=[\u4e00-\u9fff★☆])[ \t]+(?=[\u4e00-\u9fff★☆\d])")
_CHEAP = re.compile(
    "密|内部|不予公开|仅[供限]|军|导弹|潜艇|雷达|弹药|战备|拟|干部|纪要|举报|线索|案件|执法"
)


@dataclass(frozen=True)
class Mark:
    """A rule that a text met: its name and the grade it sets."""

    name: str
    grade: int


@dataclass(frozen=True)
class _Rule:
    mark: Mark
    patterns: tuple[re.Pattern[str], ...]
    """All must be found."""


def marks(text: str) -> list[Mark]:
    """The marks in `text`, each name and grade once, the highest grade first."""
    if not _CHEAP.search(form := plain(text).text):
        # A space may part the two characters of a mark.
        if " " not in form or not _CHEAP.search(form.replace(" ", "")):
            return []
    form = _SPACE.sub("", form)
    met = {rule.mark for rule in _rules() if all(p.search(form) for p in rule.patterns)}
    return sorted(met, key=lambda mark: (-mark.grade, mark.name))


@cache
def _rules() -> tuple[_Rule, ...]:
    path = files("zhengwu.pii") / "data" / "marks.yaml"
    data = cast("Mapping[str, list[dict[str, Any]]]", yaml.safe_load(path.read_text("utf-8")))
    single = [(row, (row["pattern"],)) for row in data["marks"]]
    several = [(row, tuple(row["all"])) for row in data["words"]]
    return tuple(
        _Rule(
            Mark(str(row["name"]), int(row["grade"])),
            tuple(re.compile(pattern, re.MULTILINE) for pattern in patterns),
        )
        for row, patterns in [*single, *several]
    )
