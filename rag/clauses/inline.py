"""Articles that stand inside a paragraph, as in some published copies, get a paragraph each.

Only where the next number follows a full stop: “…同意。 第六十五条 航路…”.
"""

import re

from zhengwu.datasets.numerals import NUMERAL, to_int
from zhengwu.datasets.parse import Block
from zhengwu.rag.clauses.opening import article_match

_INSIDE = re.compile(rf"(?<=[。；：])\s*(?=第(?P<number>{NUMERAL}{{1,9}})条\s)")


def split_inline_articles(blocks: list[Block]) -> list[Block]:
    """Split paragraphs that hold several articles in sequence."""
    out: list[Block] = []
    for block in blocks:
        opening = article_match(block.text) if block.kind == "paragraph" else None
        if opening is None or "第" not in opening["rest"]:
            out.append(block)
            continue
        out.extend(Block("paragraph", text, 0, block.page) for text in _split(block.text, opening))
    return out


def _split(text: str, opening: re.Match[str]) -> list[str]:
    expected = to_int(opening["number"]) + 1
    cuts = [0]
    for found in _INSIDE.finditer(text):
        quoted = text.count("“", 0, found.end()) > text.count("”", 0, found.end())
        if to_int(found["number"]) == expected and not quoted:
            cuts.append(found.end())
            expected += 1
    return [text[a:b].strip() for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True)]
