"""The clause tree: `build_clauses` turns blocks into 编章节条款项目 and headings.

A document with articles is read as a regulation; every other by its headings and numbering
(一、（一）1.). Each clause has an id that stays the same across formats of the same text.
Knows nothing of validity, chunks or indexes.
"""

from dataclasses import dataclass

from zhengwu.datasets.parse import Block, ParsedDocument
from zhengwu.datasets.parse.marks import ANNEX
from zhengwu.rag.clauses.articles import Articles
from zhengwu.rag.clauses.headings import Headings
from zhengwu.rag.clauses.inline import split_inline_articles
from zhengwu.rag.clauses.label import tidy
from zhengwu.rag.clauses.node import Node, Tree
from zhengwu.rag.clauses.opening import is_annex, is_article, take_contents


@dataclass(frozen=True)
class Clause:
    """One node of the tree.

    Attributes:
        id: "a45", "a45.k1.x3", "c3.s1", "h1.2", "h1.2.p3"; unique in the document.
        parent: Id of the parent; None at the top.
        position: Place in reading order, from 0.
        level: 编 分编 章 节 条 款 项 目 标题 段 表 附件.
        label: How it is called: 第四十五条, （三）, 第三章 基本医疗保险.
        text: A heading's own line; else its text with all below it, joined by newlines. The
            article's name is its label and not repeated in its text.
        path: Labels from the top down to this clause.
    """

    id: str
    parent: str | None
    position: int
    level: str
    label: str
    text: str
    path: tuple[str, ...]


def build_clauses(doc: ParsedDocument) -> tuple[Clause, ...]:
    """Build the tree of a parsed document, in reading order. No text is lost."""
    tree = Tree()
    blocks = split_inline_articles(list(doc.blocks))
    for prefix, head, part in _parts(blocks):
        root = tree.root
        if head is not None:
            root = tree.add(tree.root, prefix, "附件", _annex_label(head, part), head.text)
        elif part and part[0].kind == "heading" and part[0].text == doc.title:
            part = part[1:]
        part = take_contents(tree, root, part)
        builder = Articles if any(is_article(block) for block in part) else Headings
        builder(tree, root).run(part)
    return tuple(_clauses(tree))


def _parts(blocks: list[Block]) -> list[tuple[str, Block | None, list[Block]]]:
    """The body, and each annex with the line that opens it."""
    parts: list[tuple[str, Block | None, list[Block]]] = [("", None, [])]
    for index, block in enumerate(blocks):
        following = blocks[index + 1] if index + 1 < len(blocks) else None
        if ANNEX.match(block.text) and is_annex(block, following):
            parts.append((f"fj{len(parts)}", block, []))
        else:
            parts[-1][2].append(block)
    return parts


def _annex_label(head: Block, part: list[Block]) -> str:
    """The line that opens the annex, with its title where that stands on the next line."""
    opening = head.text.rstrip("：: ")
    if len(opening) > 4 or not part or part[0].kind == "table" or len(part[0].text) > 50:
        return tidy(opening)
    return tidy(f"{opening} {part[0].text}")


def _clauses(tree: Tree) -> list[Clause]:
    found: list[Clause] = []

    def visit(top: Node) -> None:
        stack: list[tuple[Node, str | None, tuple[str, ...]]] = [(top, None, ())]
        while stack:
            node, parent, above = stack.pop()
            path = above
            if node is not top:
                path = (*above, node.label)
                text = node.text if node.is_heading else node.full_text()
                found.append(
                    Clause(node.id, parent, len(found), node.level, node.label, text, path)
                )
            below = [(c, node.id if node is not top else None, path) for c in node.children]
            stack.extend(reversed(below))

    visit(tree.root)
    return found
