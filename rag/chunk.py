"""Chunks: what retrieval finds. One article or section; small ones together, long ones cut.

Every character of every clause is in a chunk that names the clause, or, for headings with nothing
but headings and articles under them, in the path of the chunks below. Knows no index and no model.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zhengwu.rag.clause import Clause

MAX = 1_200
"""No chunk is longer, in characters."""
WHOLE = 500
"""An article or section up to this length stays whole."""
TARGET = 350
"""What longer ones are packed to, and small sections are merged up to."""
TINY = 150
"""A section below this length goes with a neighbour."""
LEAD_MAX = 120
"""A longer lead-in (“有下列情形之一：”) is not repeated over the later parts of a cut article."""
ARROW = " › "
HEADINGS = frozenset({"编", "分编", "章", "节", "标题", "附件"})


@dataclass(frozen=True)
class ChunkDraft:
    """A stretch of a document, before it has a row and a vector.

    Attributes:
        clause_ids: The clauses whose text it holds, in order.
        path: “法名 › 第三章 基本医疗保险 › 第四十五条”.
        text: At most `MAX` characters; an article's name or a section's heading comes first.
    """

    clause_ids: tuple[str, ...]
    path: str
    text: str


@dataclass(frozen=True)
class _Piece:
    """The smallest thing that is moved whole: one leaf's own text."""

    id: str
    text: str
    glue: str = "\n"


@dataclass(frozen=True)
class _Section:
    path: tuple[str, ...]
    pieces: tuple[_Piece, ...]
    size: int
    anchor: str
    mergeable: bool


def chunk(clauses: Sequence[Clause], title: str) -> tuple[ChunkDraft, ...]:
    """Cut a clause tree, in reading order, into chunks."""
    below: dict[str | None, list[Clause]] = {}
    for clause in clauses:
        below.setdefault(clause.parent, []).append(clause)
    drafts: list[ChunkDraft] = []
    waiting: list[_Section] = []
    for section in _sections(clauses, below):
        if waiting and not _joins(waiting, section):
            drafts.extend(_draft(waiting, title))
            waiting = []
        waiting.append(section)
        if not section.mergeable:
            drafts.extend(_draft(waiting, title))
            waiting = []
    if waiting:
        drafts.extend(_draft(waiting, title))
    return tuple(drafts)


def _joins(waiting: list[_Section], section: _Section) -> bool:
    """Whether a section goes with those waiting: one side is tiny, and they are neighbours.

    Neighbours are siblings, or a heading and what stands directly below it; so no heading that is
    missing from the text can be missing from the common path.
    """
    held = sum(s.size for s in waiting)
    first = waiting[0].path
    near = section.path[:-1] in (first[:-1], first)
    tiny = min(held, section.size) < TINY
    return near and tiny and section.mergeable and held + section.size <= TARGET


def _sections(
    clauses: Sequence[Clause], below: dict[str | None, list[Clause]]
) -> Iterator[_Section]:
    """One section per article; one per heading with what stands directly under it."""
    top = [c for c in below.get(None, []) if c.level not in HEADINGS and c.level != "条"]
    if top:
        yield _section((), [_own(c) for c in top], "", True)
    for clause in clauses:
        if clause.level == "条":
            pieces = list(_article(clause, below))
            yield _section(clause.path, pieces, clause.id, False)
        elif clause.level in HEADINGS:
            direct = [c for c in below.get(clause.id, []) if c.level not in HEADINGS | {"条"}]
            bare = not below.get(clause.id)
            if not direct and not bare:
                continue  # its line is in the path of every chunk below
            pieces = [_Piece(clause.id, clause.text), *(_own(c) for c in direct)]
            yield _section(clause.path, pieces, clause.id, True)


def _section(path: tuple[str, ...], pieces: list[_Piece], anchor: str, mergeable: bool) -> _Section:
    size = sum(len(piece.text) + 1 for piece in pieces)
    return _Section(path, tuple(pieces), size, anchor, mergeable)


def _own(clause: Clause) -> _Piece:
    return _Piece(clause.id, clause.text)


def _article(article: Clause, below: dict[str | None, list[Clause]]) -> Iterator[_Piece]:
    """The article's name, then its leaves' own texts in order."""
    yield _Piece(article.id, article.label, "")
    stack = list(reversed(below.get(article.id, [])))
    glue = " "
    while stack:
        clause = stack.pop()
        children = below.get(clause.id, [])
        own = clause.text
        if children:
            tail = "\n".join(child.text for child in children)
            own = own[: len(own) - len(tail)].rstrip("\n")
        if own:
            yield _Piece(clause.id, own, glue)
            glue = "\n"
        stack.extend(reversed(children))


def _draft(sections: list[_Section], title: str) -> Iterator[ChunkDraft]:
    if len(sections) > 1:
        pieces = [piece for section in sections for piece in section.pieces]
        path = _common([section.path for section in sections])
        yield _join(pieces, _path(title, path))
        return
    section = sections[0]
    path = _path(title, section.path)
    if section.size <= WHOLE:
        draft = _join(list(section.pieces), path)
        whole = (section.anchor,) if section.anchor and not section.mergeable else draft.clause_ids
        yield ChunkDraft(whole, path, draft.text)
        return
    yield from _pack(section, path)


def _common(paths: list[tuple[str, ...]]) -> tuple[str, ...]:
    shared = paths[0]
    for path in paths[1:]:
        length = 0
        while length < min(len(shared), len(path)) and shared[length] == path[length]:
            length += 1
        shared = shared[:length]
    return shared


def _path(title: str, labels: tuple[str, ...]) -> str:
    return ARROW.join(part for part in (title, *labels) if part)[:900]


def _join(pieces: list[_Piece], path: str) -> ChunkDraft:
    text = pieces[0].text
    for piece in pieces[1:]:
        text += piece.glue + piece.text
    return ChunkDraft(tuple(dict.fromkeys(p.id for p in pieces)), path, text)


def _pack(section: _Section, path: str) -> Iterator[ChunkDraft]:
    """Cut a long section at its pieces, and pieces at their sentences.

    A short lead-in (“…有下列情形之一：”) stands again over the items that follow it in later parts.
    """
    parts = [cut for piece in section.pieces for cut in _cut(piece)]
    run: list[_Piece] = []
    size = 0
    lead: _Piece | None = None
    for part in parts:
        opens_list = part.text.endswith(("：", ":")) and len(part.text) <= LEAD_MAX
        if run and size + len(part.text) + 1 > TARGET and len(run) > 1:
            yield _join(run, path)
            repeated = lead is not None and _below(part.id, lead.id)
            run = [lead] if repeated and lead else []
            size = sum(len(p.text) + 1 for p in run)
        run.append(part)
        size += len(part.text) + 1
        if opens_list:
            lead = part
    if run:
        yield _join(run, path)


def _below(id: str, lead: str) -> bool:
    """Whether a clause is an item under the paragraph that leads in."""
    return id.startswith(f"{lead}.")


def _cut(piece: _Piece) -> Iterator[_Piece]:
    """A piece itself, or, when it is too long, its sentences packed to the target."""
    room = WHOLE
    if len(piece.text) <= room:
        yield piece
        return
    held, glue = "", piece.glue
    for sentence in _sentences(piece.text):
        if held and len(held) + len(sentence) > TARGET:
            yield _Piece(piece.id, held, glue)
            held, glue = "", ""
        held += sentence
    if held:
        yield _Piece(piece.id, held, glue)


def _sentences(text: str) -> Iterator[str]:
    """Sentences and rows with their ends; one without an end in reach is cut at the target."""
    for sentence in re.findall(r"[^。；！？\n]*(?:[。；！？]+[”’）」』]*|\n|$)", text):
        for start in range(0, len(sentence), TARGET):
            yield sentence[start : start + TARGET]
