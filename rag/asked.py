"""The questions that a document's clauses answer, as people ask them.

From the document's own 问答, and for national law from the bank of spoken questions. A lay question
is far nearer to another lay question than to the words of a statute. Knows no database.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from zhengwu.datasets.asked import AskedBank

MAX_CHARS = 60
PAIR = re.compile(
    r"^(?:[-•·]\s*)?(?:问[：:])?\s*(?P<asked>[^？?]{4,60}[？?])\s*(?:答[：:])?\s*(?P<answer>\S.+)$",
    re.S,
)
"""A question and its answer in one paragraph."""


@dataclass(frozen=True)
class Labelled:
    """What is read of a clause to find the questions it answers."""

    clause_id: str
    level: str
    label: str
    text: str


@dataclass(frozen=True)
class Asked:
    """A question, and the clause that answers it."""

    clause_id: str
    text: str


def asked_of(
    clauses: Iterable[Labelled], title: str, version: str, bank: AskedBank
) -> tuple[Asked, ...]:
    """Every question that clauses of this document answer, each once, in reading order."""
    articles = bank.of(title, version)
    found: dict[str, Asked] = {}
    for clause in clauses:
        told = articles.get(clause.label, ()) if clause.level == "条" else ()
        for text in (*_own(clause), *told):
            found.setdefault(text, Asked(clause.clause_id, text))
    return tuple(found.values())


def digest_of(title: str, version: str, bank: AskedBank) -> str:
    """What changes when the questions of a document have to be looked for again."""
    lines = (
        f"{label}\t{text}" for label, texts in bank.of(title, version).items() for text in texts
    )
    return hashlib.sha256("\n".join([PAIR.pattern, *lines]).encode()).hexdigest()


def _own(clause: Labelled) -> Iterator[str]:
    pair = PAIR.match(clause.text) if clause.level == "段" else None
    if pair and len(pair["asked"]) <= MAX_CHARS:
        yield pair["asked"].strip()
