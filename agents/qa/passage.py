"""Passages: the part of a found chunk that may answer, as units that can be quoted.

A unit is a sentence, list item or table row, word for word from one stored clause. A group is what
belongs together: one 款, or what stands under one heading. Knows no model.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zhengwu.rag.chunk import ARROW
from zhengwu.rag.knowledge import Hit, StoredClause
from zhengwu.rag.text.segment import terms

QUOTE_CHARS = 500
"""What is quoted of one passage at the most: a list of materials is of use only as a whole."""
TOLD_CHARS = 220
"""What the model reads to say it in plain words: embedded, a character costs 10 ms."""
TITLE_SHARE = 0.3
"""The share of a question's terms in a title from which the document is about its matter."""
CORE_CHARS = 140
"""What the judge reads of it: on the embedded default a character costs about 10 ms."""
_SENTENCE = re.compile(r"[^。！？；\n]+[。！？；]?[”’）]?|\n")
_LEAD = re.compile(r"[：:？?]$")


@dataclass(frozen=True)
class Unit:
    """A stretch that stands word for word in the clause `clause_id`."""

    clause_id: str
    text: str
    lead: bool
    """Opens a list or table, or asks: what follows cannot be understood without it."""
    within: str
    """The whole stored text of the clause."""


@dataclass(frozen=True)
class Passage:
    """Units of one group of a hit, in their order, cut to what may be quoted."""

    hit: Hit
    clause_id: str
    label: str
    units: tuple[Unit, ...]
    told: str
    """The part of the units that is said again in plain words."""
    core: str
    """The telling part of the units, for the judge."""
    overlap: float
    """The share of the question's terms, by weight, that the whole group has."""
    about: float = 0.0
    """How surely the document is about the matter asked for, told by its title: 0 to 1."""

    @property
    def asked(self) -> float:
        """How like the question is to one that this clause is known to answer, from 0 to 1."""
        match = self.hit.asked
        if match is None:
            return 0.0
        mine, its = f"{self.clause_id}.", f"{match.clause_id}."
        return match.similarity if mine.startswith(its) or its.startswith(mine) else 0.0

    @property
    def text(self) -> str:
        """The units joined as they are read."""
        return "".join(unit.text for unit in self.units)


def passages(weights: dict[str, float], hit: Hit, clauses: Sequence[StoredClause]) -> list[Passage]:
    """The passages of one hit, best first.

    Args:
        weights: the question's terms and how much each tells.
        hit: the chunk found.
        clauses: its clauses with all below them, in reading order.
    """
    groups = list(_groups(clauses))
    several = sum(group[0].level == "款" for group in groups) > 1
    found = [_passage(weights, hit, group, several) for group in groups]
    return sorted((p for p in found if p.units), key=lambda p: -p.overlap)


def overlap(weights: dict[str, float], text: str) -> float:
    """The share of the weights whose terms `text` has, from 0 to 1."""
    total = sum(weights.values())
    held = set(terms(text))
    return sum(weight for term, weight in weights.items() if term in held) / total if total else 0.0


def _passage(
    weights: dict[str, float], hit: Hit, group: Sequence[StoredClause], several: bool
) -> Passage:
    head = group[0]
    units = [unit for clause in group for unit in _units(clause)]
    whole = "".join(unit.text for unit in units)
    return Passage(
        hit=hit,
        clause_id=head.clause_id,
        label=_label(hit, head, several),
        units=_cut(weights, units, QUOTE_CHARS),
        told="".join(unit.text for unit in _cut(weights, units, TOLD_CHARS)),
        core="".join(unit.text for unit in _cut(weights, units, CORE_CHARS)),
        overlap=overlap(weights, f"{hit.path} {head.label} {whole}"),
        about=min(1.0, overlap(weights, hit.document.title) / TITLE_SHARE),
    )


def _label(hit: Hit, head: StoredClause, several: bool) -> str:
    """How a clerk would name it: 第十四条, 第十四条第二款, or the heading."""
    if head.level != "款":
        return head.label
    article = hit.path.rsplit(ARROW, 1)[-1]
    return f"{article}{head.label}" if several else article


def _groups(clauses: Sequence[StoredClause]) -> Iterable[list[StoredClause]]:
    """What belongs together: a heading with its paragraphs, a 款 with its items."""
    parents = {clause.parent for clause in clauses}
    group: list[StoredClause] = []
    for clause in clauses:
        opens = clause.level in ("款", "标题", "附件", "条") or not group
        if opens and group:
            yield group
            group = []
        # The text of an article or 款 that has parts repeats theirs: only the leaves are read.
        if clause.level == "标题" or clause.clause_id not in parents:
            group.append(clause)
        elif clause.level in ("条", "款"):
            group = [_own_words(clause)]
        elif clause.level == "项":
            group.append(_own_words(clause))
    if group:
        yield group


def _own_words(clause: StoredClause) -> StoredClause:
    """The clause without its parts: an article has no words of its own."""
    own = "" if clause.level == "条" else clause.text.split("\n", 1)[0]
    return StoredClause(clause.clause_id, clause.parent, clause.level, clause.label, own)


def _units(clause: StoredClause) -> list[Unit]:
    if clause.level == "标题":
        return []
    lines = [line for line in clause.text.split("\n") if line.strip()]
    if clause.level == "表":
        name, whole = clause.clause_id, clause.text
        return [Unit(name, line + "\n", n == 0, whole) for n, line in enumerate(lines)]
    sentences = [text for line in lines for text in _SENTENCE.findall(line) if text.strip()]
    return [
        Unit(clause.clause_id, text, bool(_LEAD.search(text.strip())), clause.text)
        for text in sentences
    ]


def _cut(weights: dict[str, float], units: Sequence[Unit], limit: int) -> tuple[Unit, ...]:
    """All units where they are short enough, else the best ones with the leads they hang on."""
    if sum(len(unit.text) for unit in units) <= limit:
        return tuple(units)
    order = sorted(range(len(units)), key=lambda n: -overlap(weights, units[n].text))
    kept: set[int] = set()
    for number in order:
        wanted = {number, *_leads(units, number)} - kept
        size = sum(len(units[n].text) for n in kept | wanted)
        if not kept or size <= limit:
            kept |= wanted
    return tuple(units[n] for n in sorted(kept))


def _leads(units: Sequence[Unit], number: int) -> list[int]:
    """The nearest unit before `number` that opens the list or table it is in."""
    for before in range(number - 1, -1, -1):
        if units[before].lead:
            return [before]
        if units[before].clause_id != units[number].clause_id and units[number].lead:
            break
    return []
