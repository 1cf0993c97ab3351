"""What a question wants to know of a matter (条件, 材料 …), and whether a heading promises it.

A guide says everything about one matter, so the words of the matter do not tell its sections apart.
Rules are data: `data/aspects.yaml`. Knows no model.
"""

import re
from dataclasses import dataclass
from functools import cache

import yaml

from zhengwu.agents.qa.replies import DATA
from zhengwu.rag.text.normalise import normalise


@dataclass(frozen=True)
class Aspect:
    """One aspect: what in a question asks for it, and how its headings read."""

    name: str
    asks: re.Pattern[str]
    headings: re.Pattern[str]


def aspect_fit(question: str, heading: str) -> float:
    """1 when the heading promises what is asked for, -1 when it promises another aspect, else 0."""
    asked = normalise(question)
    wanted = [aspect for aspect in aspects() if aspect.asks.search(asked)]
    told = [aspect for aspect in aspects() if aspect.headings.search(heading)]
    if not wanted or not told:
        return 0.0
    return 1.0 if any(aspect in wanted for aspect in told) else -1.0


def asks_aspect(question: str) -> bool:
    """Whether the question wants to know one aspect of a matter."""
    asked = normalise(question)
    return any(aspect.asks.search(asked) for aspect in aspects())


@cache
def aspects() -> tuple[Aspect, ...]:
    """The reviewed aspects, in order."""
    given = yaml.safe_load(DATA.joinpath("aspects.yaml").read_text(encoding="utf-8"))
    return tuple(
        Aspect(one["name"], re.compile(one["asks"]), re.compile(one["headings"]))
        for one in given["aspects"]
    )
