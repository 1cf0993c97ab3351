"""Policies, guides and plain texts: headings by level or by numbering, paragraphs beneath them.

A numbered line is a heading when it is short and unpunctuated, or when its first sentence is short
and text follows it, as in official style (“（一）加大支持。对…”).
"""

import re
from dataclasses import dataclass

from zhengwu.datasets.parse import Block
from zhengwu.datasets.parse.marks import (
    ARABIC,
    ARABIC_BRACKET,
    DIVISION,
    HAN,
    HAN_BRACKET,
    SENTENCE_END,
)
from zhengwu.rag.clauses.label import tidy
from zhengwu.rag.clauses.node import Node, Tree

NUMBERED = ((HAN, 1), (HAN_BRACKET, 2), (ARABIC, 3), (ARABIC_BRACKET, 4))
SHORT_LINE, LEAD = 45, 42
_FIRST_SENTENCE = re.compile(r"^[^。；：！？]{2,}?[。：]")


@dataclass
class _Open:
    node: Node
    rank: int
    id: str


class Headings:
    """Builds one text without articles under `root`."""

    def __init__(self, tree: Tree, root: Node) -> None:
        self._tree, self._root = tree, root
        self._open: list[_Open] = []
        self._counts: dict[str, int] = {}

    def run(self, blocks: list[Block]) -> None:
        """Place every block."""
        structured = sum(block.kind == "heading" for block in blocks) >= 2
        for index, block in enumerate(blocks):
            following = blocks[index + 1] if index + 1 < len(blocks) else None
            if block.kind == "table":
                self._tree.leaf(self._here(), "t", "表", "表{}", block.text)
                continue
            if block.kind == "heading":
                self._heading(block.level, block.text)
                continue
            division = DIVISION.match(block.text)
            if (
                division
                and len(block.text) <= SHORT_LINE
                and not re.search("[。；，：]", block.text)
            ):
                self._heading(7 + "编章节".find(division["unit"][-1]), block.text)
                continue
            self._numbered(block, following, structured)

    def _here(self) -> Node:
        return self._open[-1].node if self._open else self._root

    def _heading(self, rank: int, text: str) -> None:
        while self._open and self._open[-1].rank >= rank:
            self._open.pop()
        above = self._open[-1].id if self._open else ""
        number = self._counts.get(above, 0) + 1
        self._counts[above] = number
        id = f"{above}.{number}" if above else f"{self._base()}h{number}"
        node = self._tree.add(self._here(), id, "标题", tidy(text), text)
        self._open.append(_Open(node, rank, node.id))

    def _base(self) -> str:
        return f"{self._root.id}." if self._root.id else ""

    def _numbered(self, block: Block, following: Block | None, structured: bool) -> None:
        for pattern, depth in NUMBERED:
            if not pattern.match(block.text):
                continue
            alike = following is not None and pattern.match(following.text) is not None
            lead, rest = _lead(block.text)
            if _stands_alone(block.text) and following is not None and not alike:
                self._heading(10 + depth, block.text)
                return
            if depth == 1 and _stands_alone(block.text) and not structured:
                self._heading(10 + depth, block.text)
                return
            if lead and not structured and depth <= 3:
                self._heading(10 + depth, lead)
                self._paragraph(rest)
                return
            self._close_from(10 + depth)
            break
        self._paragraph(block.text)

    def _close_from(self, rank: int) -> None:
        """A numbered paragraph ends the headings of its own and of lower ranks."""
        while self._open and self._open[-1].rank >= rank:
            self._open.pop()

    def _paragraph(self, text: str) -> None:
        self._tree.leaf(self._here(), "p", "段", "第{}段", text)


def _stands_alone(text: str) -> bool:
    return len(text) <= SHORT_LINE and not text.endswith(tuple(SENTENCE_END.replace("”", "")))


def _lead(text: str) -> tuple[str, str]:
    """The short first sentence of a numbered paragraph and the rest; "" when there is none."""
    found = _FIRST_SENTENCE.match(text)
    if not found or found.end() > LEAD or text[found.end() - 1] == "：":
        return "", text
    rest = text[found.end() :].strip()
    if len(rest) < 10:
        return "", text
    return text[: found.end()], rest
