"""Lines of pages become paragraphs. Knows positions and marks, nothing of PDF."""

import re
from collections import Counter
from dataclasses import dataclass

from zhengwu.datasets.parse.document import Block
from zhengwu.datasets.parse.marks import begins_item

PAGE_NUMBER = re.compile(
    r"^[-—–―·\s]*(?:第\s*)?[0-9０-９]{1,4}(?:\s*页)?(?:\s*[/／共,，]\s*(?:共\s*)?[0-9]{1,4}\s*页?)?[-—–―·\s]*$"
)


@dataclass(frozen=True)
class Line:
    """One line of a page, in points from the upper left corner."""

    text: str
    page: int
    left: float
    top: float
    right: float
    bottom: float
    height: float
    """Height of the page."""

    @property
    def size(self) -> float:
        """Height of the line's box, near its type size."""
        return self.bottom - self.top

    @property
    def at_edge(self) -> bool:
        """In the upper or lower tenth of the page."""
        return self.bottom < 0.1 * self.height or self.top > 0.9 * self.height


def without_running_heads(pages: list[list[Line]]) -> list[list[Line]]:
    """Drop page numbers, and edge lines that stand on at least half of three or more pages."""

    def shape(line: Line) -> str:
        return re.sub(r"[0-9０-９]+", "#", "".join(line.text.split()))

    seen = Counter(s for page in pages for s in {shape(x) for x in page if x.at_edge})
    often = {s for s, n in seen.items() if len(pages) >= 3 and n * 2 >= len(pages)}
    return [
        [
            line
            for line in page
            if not (line.at_edge and (PAGE_NUMBER.match(line.text) or shape(line) in often))
        ]
        for page in pages
    ]


def merge(lines: list[Line]) -> list[Block]:
    """Merge lines into paragraphs and mark clearly larger short lines as headings."""
    if not lines:
        return []
    sizes = Counter(round(line.size) for line in lines for _ in line.text)
    body = sizes.most_common(1)[0][0]
    left = min(line.left for line in lines)
    right = max(line.right for line in lines)
    groups: list[list[Line]] = []
    for line in lines:
        if groups and _continues(groups[-1], line, left, right):
            groups[-1].append(line)
        else:
            groups.append([line])
    return [_block(group, body) for group in groups]


def _continues(group: list[Line], line: Line, left: float, right: float) -> bool:
    last = group[-1]
    if begins_item(line.text) or abs(line.size - last.size) > 0.25 * max(line.size, last.size):
        return False
    em = max(last.size, 1.0)
    if line.left - left > 1.2 * em and abs(line.left - last.left) > 0.3 * em:
        return False  # a first-line indent, or centred
    if last.page == line.page and line.top - last.bottom > 2.2 * em:
        return False
    return last.right > right - 2.2 * em  # a line that is not full ends its paragraph


def _block(group: list[Line], body: int) -> Block:
    text = group[0].text
    for line in group[1:]:
        text += (" " if text[-1:].isascii() and line.text[:1].isascii() else "") + line.text
    large = min(line.size for line in group) > 1.2 * body
    if large and len(text) <= 80:
        return Block("heading", text, 1, group[0].page)
    return Block("paragraph", text, 0, group[0].page)
