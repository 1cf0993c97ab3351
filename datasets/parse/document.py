"""What every parser returns: blocks of text in reading order. Knows no format and no law."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

BlockKind = Literal["heading", "paragraph", "table"]


@dataclass(frozen=True)
class Block:
    """One heading, paragraph or table.

    Attributes:
        kind: What it is.
        text: Its text; of a table the rows, cells joined by " | ", rows by newline.
        level: Depth of a heading from 1; 0 otherwise.
        page: Page it begins on, from 1, where the format has pages.
        rows: The cells of a table.
    """

    kind: BlockKind
    text: str
    level: int = 0
    page: int | None = None
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class ParsedDocument:
    """A document as read, before anything is known about its meaning.

    Attributes:
        title: Its title, or the file's name where there is none.
        blocks: Its text in reading order.
        meta: What the file says about itself. The lines over a statute (“… 通过”) are `history`.
        format: markdown, text, html, docx or pdf.
        digest: SHA-256 of the bytes read.
    """

    title: str
    blocks: tuple[Block, ...]
    meta: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    format: str = "text"
    digest: str = ""


def table(rows: list[list[str]], page: int | None = None) -> Block | None:
    """A table block, empty rows dropped; None when nothing is left."""
    kept = tuple(tuple(" ".join(c.split()) for c in row) for row in rows)
    kept = tuple(row for row in kept if any(row))
    if not kept:
        return None
    return Block("table", "\n".join(" | ".join(row) for row in kept), 0, page, kept)
