"""Regulations: 编 → 分编 → 章 → 节 → 条 → 款 → 项 → 目.

款 is an unnumbered paragraph of an article, 项 begins （一） or 一、, 目 begins 1. or （1）.
"""

import re

from zhengwu.datasets.numerals import to_chinese, to_int
from zhengwu.datasets.parse import Block
from zhengwu.datasets.parse.marks import ARABIC, ARABIC_BRACKET, CIRCLED, HAN, HAN_BRACKET
from zhengwu.rag.clauses.label import tidy
from zhengwu.rag.clauses.node import Node, Tree
from zhengwu.rag.clauses.opening import article_match, division_match

ORDER = {"编": 0, "分编": 1, "章": 2, "节": 3}
LETTER = {"编": "b", "分编": "f", "章": "c", "节": "s"}
ITEMS = (
    ("han", HAN, "项"),
    ("bracket", HAN_BRACKET, "项"),
    ("arabic", ARABIC, "目"),
    ("arabic_bracket", ARABIC_BRACKET, "目"),
    ("circled", CIRCLED, "目"),
)


class Articles:
    """Builds one body of articles under `root`."""

    def __init__(self, tree: Tree, root: Node) -> None:
        self._tree, self._root = tree, root
        self._divisions: list[Node] = []
        self._article: Node | None = None
        self._paragraph: Node | None = None
        self._items: list[tuple[str, Node]] = []
        self._open_quotes = 0
        self._headings = 0

    def run(self, blocks: list[Block]) -> None:
        """Place every block."""
        for block in blocks:
            if block.kind == "table":
                self._tree.leaf(self._innermost(), "t", "表", "表{}", block.text)
            elif not (self._division(block) or self._opens_article(block)):
                self._text(block)
            self._open_quotes += block.text.count("“") - block.text.count("”")
            if self._article is None:
                self._open_quotes = 0

    def _innermost(self) -> Node:
        """What a table belongs to: the item, paragraph or article that is open, or the heading."""
        if self._items:
            return self._items[-1][1]
        return self._paragraph or self._article or self._here()

    def _here(self) -> Node:
        return self._divisions[-1] if self._divisions else self._root

    def _prefix(self, node: Node) -> str:
        return f"{node.id}." if node.id else ""

    def _division(self, block: Block) -> bool:
        found = division_match(block)
        if found is None or self._open_quotes > 0:
            return self._plain_heading(block)
        unit = re.sub(r"\s", "", found["unit"])
        while self._divisions and ORDER.get(self._divisions[-1].level, 9) >= ORDER[unit]:
            self._divisions.pop()
        parent = self._here()
        number = to_int(found["number"])
        within = parent if unit == "节" or parent.level in {"附件", "编"} else self._book()
        id = f"{self._prefix(within)}{LETTER[unit]}{number}"
        label = tidy(f"第{to_chinese(number)}{unit} {found['rest']}")
        self._divisions.append(self._tree.add(parent, id, unit, label, block.text))
        self._close()
        return True

    def _book(self) -> Node:
        """What numbers chapters: the 编 where there is one, else the document or annex."""
        return next((node for node in self._divisions if node.level == "编"), self._root)

    def _plain_heading(self, block: Block) -> bool:
        """序言, or a heading of the notice that carries the articles."""
        if block.kind != "heading" or article_match(block.text) or self._open_quotes > 0:
            return False
        self._headings += 1
        self._divisions = []
        id = f"{self._prefix(self._root)}h{self._headings}"
        self._divisions = [self._tree.add(self._root, id, "标题", tidy(block.text), block.text)]
        self._close()
        return True

    def _close(self) -> None:
        self._article = self._paragraph = None
        self._items = []
        self._open_quotes = 0

    def _opens_article(self, block: Block) -> bool:
        found = article_match(block.text)
        if found is None or (self._article and self._open_quotes > 0):
            return False
        number = to_int(found["number"])
        sub = to_int(found["sub"]) if found["sub"] else 0
        id = f"{self._prefix(self._root)}a{number}" + (f"-{sub}" if sub else "")
        label = f"第{to_chinese(number)}条" + (f"之{to_chinese(sub)}" if sub else "")
        self._close()
        self._article = self._tree.add(self._here(), id, "条", label, "")
        rest = found["rest"].strip()
        if rest:
            self._text(Block("paragraph", rest))
        return True

    def _text(self, block: Block) -> None:
        article = self._article
        if article is None:
            self._tree.leaf(self._here(), "p", "段", "第{}段", block.text)
            return
        for style, pattern, level in ITEMS:
            found = pattern.match(block.text)
            if found:
                self._item(article, style, level, found)
                return
        number = sum(child.level == "款" for child in article.children) + 1
        label = f"第{to_chinese(number)}款"
        self._paragraph = self._tree.add(
            article, f"{article.id}.k{number}", "款", label, block.text
        )
        self._items = []

    def _item(self, article: Node, style: str, level: str, found: re.Match[str]) -> None:
        if self._paragraph is None:
            self._paragraph = self._tree.add(article, f"{article.id}.k1", "款", "第一款", "")
        styles = [name for name, _ in self._items]
        if style in styles:
            self._items = self._items[: styles.index(style)]
        parent = self._items[-1][1] if self._items else self._paragraph
        raw = found["number"]
        number = ord(raw) - 0x245F if style == "circled" else to_int(raw)
        letter = "x" if level == "项" else "m"
        mark = found.group(0)[: found.start("rest")].strip()
        node = self._tree.add(parent, f"{parent.id}.{letter}{number}", level, mark, found.group(0))
        self._items.append((style, node))
