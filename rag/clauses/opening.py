"""Which lines open an article, a division, an annex or a table of contents.

A line like “第四十五条的规定…” is a reference, and a note “附件：1.申请表” is not an annex.
"""

import re

from zhengwu.datasets.parse import Block
from zhengwu.datasets.parse.marks import ANNEX, ARABIC, ARTICLE, DIVISION
from zhengwu.rag.clauses.node import Node, Tree

# What follows “第十条” in running text, where it names no article that begins here.
_REFERENCE = re.compile(
    r"^(?:[的、，,和至或及与第中所之～~—-]|规定|修改|改为|相应|作为|增加|删去|以及|等)"
)
_CONTENTS = re.compile(r"^目\s*[录次]$")
_SENTENCE = re.compile(r"[。；，：！？,;:]")


def article_match(text: str) -> re.Match[str] | None:
    """The match of an article's opening, None for references and other text."""
    found = ARTICLE.match(text)
    if found is None:
        return None
    rest = found["rest"]
    if rest and not rest[0].isspace() and _REFERENCE.match(rest):
        return None
    return found


def is_article(block: Block) -> bool:
    """Whether the block opens an article."""
    return block.kind != "table" and article_match(block.text) is not None


def division_match(block: Block) -> re.Match[str] | None:
    """The match of a 编, 分编, 章 or 节 line: a heading, or a short line without punctuation."""
    found = DIVISION.match(block.text) if block.kind != "table" else None
    if found is None:
        return None
    rest = found["rest"]
    if block.kind == "heading":
        return found
    reference = re.match(r"^[的、和至或及与中所]|^规定", rest) is not None
    if len(block.text) > 50 or _SENTENCE.search(rest) or reference:
        return None
    return found


def is_annex(block: Block, following: Block | None) -> bool:
    """Whether the line opens an annex: it stands alone, and is no list of annexes."""
    found = ANNEX.match(block.text)
    if found is None or block.kind == "table" or len(block.text) > 80:
        return False
    rest = found["rest"].strip()
    if ARABIC.match(rest) or following is None:
        return False
    if block.kind == "heading":
        return bool(found["number"] or found["word"] != "附") or not rest
    if found["word"] == "附":
        return bool(found["colon"]) and not rest and not ARABIC.match(following.text)
    if not rest:
        return not (found["colon"] and ARABIC.match(following.text))
    if _SENTENCE.search(rest) or "》" in rest:
        return False
    separated = bool(found["colon"]) or block.text[found.start("rest")].isspace()
    return separated and following.kind == "table" if found["colon"] else separated


def take_contents(tree: Tree, root: Node, blocks: list[Block]) -> list[Block]:
    """Put a table of contents into one paragraph, so that its lines open no chapters."""
    for start, block in enumerate(blocks[:40]):
        if not _CONTENTS.match(block.text):
            continue
        end, seen = start + 1, set[str]()
        while end < len(blocks) and division_match(blocks[end]):
            key = re.sub(r"\s|[.…·]+\d*$", "", blocks[end].text)
            if key in seen:
                break
            seen.add(key)
            end += 1
        if end - start < 3:
            return blocks
        listed = "\n".join(block.text for block in blocks[start:end])
        return [*blocks[:start], Block("paragraph", listed), *blocks[end:]]
    return blocks
