"""Find personal data: numbers by check digit and shape, addresses by structure, names in context.

Cheap tests come first, so that an ordinary text costs a few searches. Knows nothing of grades or
of what is done with a finding.
"""

from collections.abc import Iterable

from zhengwu.pii.address import addresses
from zhengwu.pii.checks import (
    CHECK,
    WEIGHTS,
    credit_code_valid,
    identity_card_valid,
    luhn_valid,
)
from zhengwu.pii.finding import Finding
from zhengwu.pii.name import names
from zhengwu.pii.numbers import numbers
from zhengwu.pii.plain import plain, unbroken

__all__ = [
    "CHECK",
    "WEIGHTS",
    "Finding",
    "credit_code_valid",
    "detect",
    "identity_card_valid",
    "luhn_valid",
    "mask",
]
MASK = "*"


def detect(text: str) -> list[Finding]:
    """Every finding in `text`, in order, none overlapping."""
    form = plain(text)
    sure = _distinct([*numbers(unbroken(form.text)), *addresses(form.text)])
    found = _distinct([*sure, *_apart(names(form.text), sure)])
    if form.places is None:
        return found
    return [Finding(*form.span(each.start, each.end), each.kind) for each in found]


def mask(text: str) -> str:
    """`text` with every finding replaced by asterisks of the same length, for logs and records."""
    out = list(text)
    for finding in detect(text):
        out[finding.start : finding.end] = MASK * (finding.end - finding.start)
    return "".join(out)


def _distinct(candidates: Iterable[Finding]) -> list[Finding]:
    found: list[Finding] = []
    for finding in sorted(candidates, key=_first_then_longest):
        if not found or finding.start >= found[-1].end:
            found.append(finding)
    return found


def _apart(candidates: Iterable[Finding], sure: list[Finding]) -> list[Finding]:
    """Candidates that touch nothing surer: a name may be part of an address. All in order."""
    apart: list[Finding] = []
    at = 0
    for each in candidates:
        while at < len(sure) and sure[at].end <= each.start:
            at += 1
        if at == len(sure) or each.end <= sure[at].start:
            apart.append(each)
    return apart


def _first_then_longest(finding: Finding) -> tuple[int, int]:
    return finding.start, -finding.end
