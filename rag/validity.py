"""Whether a document is in force on a day, from its own dates and its newer versions.

The first form: dates in the document, and an older version of the same title gives way to the
newer one. Repeal clauses across documents are read later.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

IN_FORCE, REVISED, REPEALED = "现行有效", "已修订", "已废止"
NOT_YET, ENDING = "尚未生效", "即将失效"
SOON = timedelta(days=90)


@dataclass(frozen=True)
class Span:
    """The validity of one document version."""

    document: int
    title: str
    effective_from: date | None
    effective_to: date | None
    status: str
    region: str | None = None
    """Where it holds: a neighbour's document of the same title is not a newer version."""


def status_on(span: Span, day: date) -> str:
    """What the document's status is on `day`."""
    if span.effective_from and day < span.effective_from:
        return NOT_YET
    if span.effective_to and day > span.effective_to:
        return REVISED if span.status == REVISED else REPEALED
    if span.status in (REVISED, REPEALED) and span.effective_to is None:
        return span.status
    if span.effective_to and span.effective_to - day <= SOON and span.status != REVISED:
        return ENDING
    return IN_FORCE


def holds(span: Span, day: date) -> bool:
    """Whether the document may be cited as law in force on `day`."""
    return status_on(span, day) in (IN_FORCE, ENDING)


def supersede(spans: Iterable[Span]) -> list[Span]:
    """The spans that change because a newer version of the same title and region is there."""
    by_title: dict[tuple[str, str | None], list[Span]] = {}
    for span in spans:
        if span.effective_from:
            by_title.setdefault((span.title, span.region), []).append(span)
    changed: list[Span] = []
    for versions in by_title.values():
        changed += _older(sorted(versions, key=lambda v: v.effective_from or date.min))
    return changed


def _older(versions: Sequence[Span]) -> list[Span]:
    changed: list[Span] = []
    next_start: date | None = None  # of the nearest version that starts later
    for span, later in zip(reversed(versions), [None, *reversed(versions)], strict=False):
        if later and later.effective_from != span.effective_from:
            next_start = later.effective_from
        if next_start is None:
            continue
        last_day = next_start - timedelta(days=1)
        if span.effective_to and span.effective_to < last_day:
            continue  # its own term ended before the newer version began
        if span.effective_to is None and span.status == REPEALED:
            continue  # repealed on a day it does not say: never brought back
        if span.effective_to != last_day or span.status != REVISED:
            changed.append(replace(span, effective_to=last_day, status=REVISED))
    return changed
