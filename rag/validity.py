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


def status_on(span: Span, day: date) -> str:
    """What the document's status is on `day`."""
    if span.effective_from and day < span.effective_from:
        return NOT_YET
    if span.effective_to and day > span.effective_to:
        return REVISED if span.status == REVISED else REPEALED
    if span.status == REPEALED and span.effective_to is None:
        return REPEALED
    if span.effective_to and span.effective_to - day <= SOON and span.status != REVISED:
        return ENDING
    return IN_FORCE


def holds(span: Span, day: date) -> bool:
    """Whether the document may be cited as law in force on `day`."""
    return status_on(span, day) in (IN_FORCE, ENDING)


def supersede(spans: Iterable[Span]) -> list[Span]:
    """The spans that change because a newer version of the same title is there."""
    by_title: dict[str, list[Span]] = {}
    for span in spans:
        if span.effective_from:
            by_title.setdefault(span.title, []).append(span)
    changed: list[Span] = []
    for versions in by_title.values():
        changed += _older(sorted(versions, key=lambda v: v.effective_from or date.min))
    return changed


def _older(versions: Sequence[Span]) -> list[Span]:
    changed: list[Span] = []
    for older, newer in zip(versions, versions[1:], strict=False):
        start = newer.effective_from
        if start is None or start == older.effective_from:
            continue
        last_day = start - timedelta(days=1)
        if older.effective_to != last_day or older.status != REVISED:
            changed.append(replace(older, effective_to=last_day, status=REVISED))
    return changed
