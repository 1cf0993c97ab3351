"""What kind of answer a question expects, and whether a passage holds one of that kind.

A question for a figure (多久, 多少钱, 几倍) cannot be answered by a passage without such a figure,
however alike the two are. Rules are data: `data/answer_types.yaml`. Knows no model.
"""

import re
from dataclasses import dataclass
from functools import cache

import yaml

from zhengwu.agents.qa.replies import DATA
from zhengwu.rag.text.normalise import normalise

NUMBER = r"(?:\d[\d.,]*|[零一二三四五六七八九十百千万亿两半]+)"


@dataclass(frozen=True)
class AnswerType:
    """A kind of answer: what asks for it, and what it looks like in a text."""

    name: str
    asks: re.Pattern[str]
    holds: re.Pattern[str]
    fallback: bool
    """Only looked at when no other kind is asked for."""


def fit(question: str, passage: str) -> float:
    """1 when the passage holds what the question asks for, -1 when it lacks it, 0 when not asked.

    A question may fit several kinds (“罚多少”); any one of them is enough.
    """
    asked = normalise(question)
    asking = [kind for kind in answer_types() if kind.asks.search(asked)]
    wanted = [kind for kind in asking if not kind.fallback] or asking
    if not wanted:
        return 0.0
    text = normalise(passage)
    return 1.0 if any(kind.holds.search(text) for kind in wanted) else -1.0


@cache
def answer_types() -> tuple[AnswerType, ...]:
    """The reviewed kinds, in order."""
    given = yaml.safe_load(DATA.joinpath("answer_types.yaml").read_text(encoding="utf-8"))
    return tuple(
        AnswerType(
            kind["name"],
            re.compile(kind["asks"]),
            re.compile(kind["holds"].replace("NUMBER", NUMBER)),
            bool(kind.get("fallback")),
        )
        for kind in given["types"]
    )
