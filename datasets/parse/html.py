"""HTML: the main text of a page in order, without menus, scripts and footers; tables as tables.

Walks the tree without recursion, so depth is a limit and not a crash. Runs no script.
"""

import re
from types import MappingProxyType

from selectolax.lexbor import LexborHTMLParser, LexborNode

from zhengwu.datasets.errors import CorruptDocument
from zhengwu.datasets.parse.clean import clean, one_line
from zhengwu.datasets.parse.document import Block, ParsedDocument, table
from zhengwu.datasets.parse.limits import Clock, Limits
from zhengwu.datasets.parse.lines import paragraphs

DROPPED = frozenset(
    "script style noscript template svg iframe object form select button nav footer aside head"
    " canvas audio video".split()
)
ROLES = frozenset({"navigation", "banner", "contentinfo", "search"})
_BOILERPLATE = re.compile(
    r"(^|[-_\s])(nav|navbar|menu|breadcrumbs?|crumbs?|footer|foot|sidebar|share|bdshare|copyright|"
    r"pagination|pager|related|qrcode|toolbar|topbar|advert|ads?)($|[-_\s\d])",
    re.I,
)
MAIN = (
    "article",
    "main",
    "#UCAP-CONTENT",
    "#zoom",
    "#Zoom",
    "#content",
    ".TRS_Editor",
    ".pages_content",
    ".article-content",
    ".article_content",
    ".content",
)
BLOCKS = frozenset(
    "p div section article main li dd dt h1 h2 h3 h4 h5 h6 blockquote pre ul ol dl center figure"
    " figcaption header td th tr tbody body address details summary fieldset".split()
)
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]{3,20})", re.I)


_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)")
UNPAIRED = frozenset(
    "p li td tr th dt dd option optgroup thead tbody tfoot colgroup rt rp br img input meta link hr"
    " col area base wbr source param embed track html head body".split()
)
"""Elements whose end need not be written, so that they say nothing about depth."""
MAX_OPEN = 2_000
"""Elements open at once in the raw page; the parser's own time grows with the square of depth."""


def _refuse_deep(text: str, name: str) -> None:
    depth = 0
    for end, tag in _TAG.findall(text):
        if tag.lower() not in UNPAIRED:
            depth = max(0, depth + (-1 if end else 1))
        if depth > MAX_OPEN:
            raise CorruptDocument(
                f"“{name}”的网页元素嵌套超过 {MAX_OPEN} 层，请另存为纯文本后上传。"
            )


def charset(data: bytes) -> str | None:
    """The encoding a page declares in its first 4,096 bytes, when it is one this project reads."""
    found = _CHARSET.search(data[:4096])
    name = found[1].decode("ascii").lower() if found else ""
    return "gb18030" if name in {"gb2312", "gbk", "gb18030"} else None


def read_html(text: str, name: str, limits: Limits, clock: Clock) -> ParsedDocument:
    """Parse a page in memory.

    Raises:
        CorruptDocument: elements nest deeper than the limit, or there are too many blocks.
    """
    text = clean(text)
    _refuse_deep(text, name)
    tree = LexborHTMLParser(text)
    title = _page_title(tree)
    blocks = _main(tree, _Walk(name, limits, clock))
    if blocks and blocks[0].kind == "heading" and (blocks[0].level == 1 or blocks[0].text == title):
        title, blocks = blocks[0].text, blocks[1:]
    return ParsedDocument(title, tuple(blocks), MappingProxyType(_meta(tree)), "html")


def _page_title(tree: LexborHTMLParser) -> str:
    node = tree.css_first("meta[name=ArticleTitle]")
    given = (node.attributes.get("content") or "") if node else ""
    heading = tree.css_first("h1")
    page = tree.css_first("title")
    for text in (given, heading.text() if heading else "", page.text() if page else ""):
        if one_line(text):
            return one_line(text)
    return ""


def _meta(tree: LexborHTMLParser) -> dict[str, str]:
    """Named meta elements: Chinese government pages carry PubDate, ContentSource and the like."""
    found: dict[str, str] = {}
    for node in tree.css("meta[name]")[:100]:
        key, value = node.attributes.get("name"), node.attributes.get("content")
        if key and value and key.lower() not in {"viewport", "renderer", "keywords"}:
            found[key[:64]] = one_line(value)[:1000]
    return found


def _main(tree: LexborHTMLParser, walk: "_Walk") -> list[Block]:
    """The blocks of a known container that holds over half of the page's text, else all."""
    body = walk.run(tree.body) if tree.body else []
    whole = sum(len(block.text) for block in body)
    for selector in MAIN:
        node = tree.css_first(selector)
        blocks = walk.run(node) if node else []
        if sum(len(block.text) for block in blocks) * 2 > whole:
            return blocks
    return body


def _is_boilerplate(node: LexborNode) -> bool:
    """Menus, footers and the like, by tag, role or name; never what holds the text's heading."""
    tag, given = node.tag or "", node.attributes
    if tag in DROPPED or given.get("role") in ROLES or "hidden" in given:
        return True
    if given.get("aria-hidden") == "true" or tag in {"html", "body", "article", "main"}:
        return given.get("aria-hidden") == "true"
    marks = f"{given.get('class') or ''} {given.get('id') or ''}"
    return bool(_BOILERPLATE.search(marks)) and node.css_first("article, main, h1") is None


class _Walk:
    """One pass over the tree in document order, with its own stack."""

    def __init__(self, name: str, limits: Limits, clock: Clock) -> None:
        self._name, self._limits, self._clock = name, limits, clock
        self._blocks: list[Block] = []
        self._line: list[str] = []
        self._heading = 0

    def run(self, root: LexborNode) -> list[Block]:
        self._blocks, self._line, self._heading = [], [], 0
        stack: list[tuple[LexborNode | None, int, bool]] = [(root, 0, False)]
        while stack:
            node, depth, closing = stack.pop()
            if node is None:
                continue
            if closing:
                self._flush()
                self._heading = 0
                continue
            if depth > self._limits.max_depth:
                raise CorruptDocument(
                    f"“{self._name}”的网页元素嵌套超过 {self._limits.max_depth} 层，"
                    "请另存为纯文本后上传。"
                )
            if depth:
                stack.append((node.next, depth, False))
            if self._goes_in(node, depth):
                if node.tag in BLOCKS:
                    stack.append((node, depth, True))
                stack.append((node.child, depth + 1, False))
        self._flush()
        return self._blocks

    def _goes_in(self, node: LexborNode, depth: int) -> bool:
        """Take what is a leaf for this reader; True for an element to be walked."""
        tag = node.tag or ""
        if tag == "-text":
            self._line.append(node.text_content or "")
            return False
        if tag.startswith(("-", "!")) or (depth and _is_boilerplate(node)):
            return False
        if tag == "br" or tag in BLOCKS or tag == "table":
            self._flush()
        if tag == "table" and self._is_data(node):
            self._table(node)
            return False
        if re.fullmatch("h[1-6]", tag):
            self._heading = int(tag[1])
        return tag != "br"

    def _flush(self) -> None:
        self._clock.check()
        text = one_line("".join(self._line))
        raw = "".join(self._line)
        self._line = []
        if not text:
            return
        if self._heading:
            self._blocks.append(Block("heading", text, self._heading))
        else:
            pieces = paragraphs(raw.strip())
            self._blocks.extend(Block("paragraph", one_line(p)) for p in pieces if one_line(p))
        if len(self._blocks) > self._limits.max_blocks:
            raise CorruptDocument(
                f"“{self._name}”的段落超过 {self._limits.max_blocks} 个，请拆分后上传。"
            )

    @staticmethod
    def _is_data(node: LexborNode) -> bool:
        """Old pages lay out whole articles in tables; those are walked, not read as tables."""
        if node.css_first("table table, h1, h2, h3"):
            return False
        rows = node.css("tr")
        return len(rows) >= 2 and any(len(row.css("td, th")) >= 2 for row in rows)

    def _table(self, node: LexborNode) -> None:
        """Read rows; a cell that spans rows is repeated in each of them."""
        rows: list[list[str]] = []
        carried: dict[int, tuple[int, str]] = {}
        for row in node.css("tr"):
            self._clock.check()
            cells: list[str] = []
            for cell in row.css("td, th"):
                self._carry(cells, carried)
                text = one_line(cell.text(separator=" "))
                span = _number(cell.attributes.get("rowspan"))
                if span > 1:
                    carried[len(cells)] = (span - 1, text)
                cells.append(text)
            self._carry(cells, carried)
            rows.append(cells)
        block = table(rows)
        if block:
            self._blocks.append(block)

    @staticmethod
    def _carry(cells: list[str], carried: dict[int, tuple[int, str]]) -> None:
        while len(cells) in carried:
            left, text = carried.pop(len(cells))
            if left > 1:
                carried[len(cells)] = (left - 1, text)
            cells.append(text)


def _number(value: str | None) -> int:
    return min(int(value), 1000) if value and value.isdigit() else 1
