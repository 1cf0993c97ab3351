"""DOCX: paragraphs and tables of the body in order, with automatic numbers written out.

Reads the XML itself, so that inserted revisions, content controls and text boxes are not lost;
deleted revisions are. Headings are known by style or outline level; by text pattern only where the
pattern is certain (第三章 …) — finer reading is the clause tree's work.
"""

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from zipfile import BadZipFile

import docx
from docx.document import Document
from docx.opc.exceptions import OpcError
from docx.oxml.ns import qn

from zhengwu.datasets.errors import CorruptDocument
from zhengwu.datasets.parse.archive import check_archive
from zhengwu.datasets.parse.clean import one_line
from zhengwu.datasets.parse.document import Block, ParsedDocument, table
from zhengwu.datasets.parse.docx_numbering import Numbering
from zhengwu.datasets.parse.limits import Clock, Limits
from zhengwu.datasets.parse.lines import paragraphs
from zhengwu.datasets.parse.marks import begins_item
from zhengwu.datasets.parse.xml import Element, XMLSyntaxError, iterwalk

FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
BREAKS = {qn("w:br"), qn("w:cr")}
CONTAINERS = {
    qn("w:sdt"),
    qn("w:sdtContent"),
    qn("w:ins"),
    qn("w:moveTo"),
    qn("w:customXml"),
    qn("w:smartTag"),
}
DAMAGE = (
    OpcError, BadZipFile, zlib.error, KeyError, ValueError, EOFError, OSError, AttributeError,
    TypeError, IndexError, NotImplementedError,
)  # fmt: skip
"""What python-docx and zipfile raise on archives that are damaged or hold something else."""
_HEADING = re.compile(r"^(?:heading|标题)\s*([1-9])$", re.I)


def read_docx(path: Path, limits: Limits, clock: Clock) -> ParsedDocument:
    """Parse a DOCX file that passed the size check.

    Raises:
        ArchiveBomb, CorruptDocument, EncryptedDocument: see the messages.
    """
    check_archive(path, limits)
    try:
        document = docx.Document(str(path))
        blocks = list(_Reader(document, path.name, limits, clock).blocks())
    except XMLSyntaxError as error:
        deep = "depth" in str(error).lower()
        reason = "元素嵌套过深" if deep else "内部结构无法解析"
        raise CorruptDocument(
            f"“{path.name}”{reason}。请用 Word 或 WPS 打开并另存后重新上传。"
        ) from error
    except DAMAGE as error:
        raise CorruptDocument(
            f"“{path.name}”已损坏，或不是 Word 文档。请用 Word 或 WPS 打开并另存后重新上传。"
        ) from error
    title, blocks = _title(document, blocks)
    return ParsedDocument(title, tuple(blocks), MappingProxyType(_meta(document)), "docx")


def _meta(document: Document) -> dict[str, str]:
    core = document.core_properties
    found = {"author": core.author, "subject": core.subject, "doc_title": core.title}
    return {key: one_line(value) for key, value in found.items() if value}


def _title(document: Document, blocks: list[Block]) -> tuple[str, list[Block]]:
    """A paragraph in the Title style, or the first when it is plain and short."""
    if not blocks:
        return one_line(document.core_properties.title or ""), blocks
    first = blocks[0]
    plain = len(first.text) <= 80 and not first.text.endswith(("。", "；", "：", ":"))
    opens = first.kind != "table" and first.level <= 1 and not begins_item(first.text)
    if opens and plain:
        return first.text, blocks[1:]
    return one_line(document.core_properties.title or ""), blocks


class _Reader:
    """One pass over the body."""

    def __init__(self, document: Document, name: str, limits: Limits, clock: Clock) -> None:
        self._body = document.element.body
        self._numbering = Numbering(document)
        self._styles = {s.style_id: s for s in document.styles}
        self._name, self._limits, self._clock = name, limits, clock

    def blocks(self) -> Iterator[Block]:
        count = 0
        for element in self._elements(self._body):
            self._clock.check()
            found = self._table(element) if element.tag == qn("w:tbl") else self._paragraph(element)
            for block in found:
                count += 1
                if count > self._limits.max_blocks:
                    raise CorruptDocument(
                        f"“{self._name}”的段落超过 {self._limits.max_blocks} 个，请拆分后上传。"
                    )
                yield block

    def _elements(self, parent: Element) -> Iterator[Element]:
        """Paragraphs and tables, also inside content controls; lxml bounds the depth to 256."""
        for child in parent:
            if child.tag in (qn("w:p"), qn("w:tbl")):
                yield child
            elif child.tag in CONTAINERS:
                yield from self._elements(child)

    def _paragraph(self, element: Element) -> Iterator[Block]:
        text = _text(element)
        number = self._numbering.prefix(element) if one_line(text) else ""
        if number and not text.lstrip().startswith(number):
            gap = "" if number.endswith(("、", "）", ")")) else " "
            text = number + gap + text.lstrip()
        level = self._level(element)
        for line in text.split("\n"):
            for part in paragraphs(line.strip()):
                shown = one_line(part)
                if shown:
                    yield Block("heading" if level else "paragraph", shown, level)

    def _level(self, element: Element) -> int:
        """1 to 9 for a heading, by outline level or name of style or base style; 0 otherwise."""
        properties = element.find(qn("w:pPr"))
        outline = properties.find(qn("w:outlineLvl")) if properties is not None else None
        if outline is not None and (outline.get(qn("w:val")) or "9") in "012345678":
            return int(outline.get(qn("w:val")) or 0) + 1
        named = properties.find(qn("w:pStyle")) if properties is not None else None
        style = self._styles.get(named.get(qn("w:val")) or "") if named is not None else None
        for _ in range(12):
            if style is None:
                return 0
            name = (style.name or "").strip()
            if name.lower() in {"title", "标题"}:
                return 1
            found = _HEADING.match(name)
            if found:
                return int(found[1])
            style = getattr(style, "base_style", None)
        return 0

    def _table(self, element: Element) -> Iterator[Block]:
        """Rows; the text of vertically merged cells stands in each of their rows."""
        rows: list[list[str]] = []
        above: dict[int, str] = {}
        for row in element.iterchildren(qn("w:tr")):
            self._clock.check()
            cells: list[str] = []
            column = 0
            for cell in row.iterchildren(qn("w:tc")):
                properties = cell.find(qn("w:tcPr"))
                merge = properties.find(qn("w:vMerge")) if properties is not None else None
                goes_on = merge is not None and merge.get(qn("w:val")) != "restart"
                text = above.get(column, "") if goes_on else self._cell(cell)
                if merge is not None:
                    above[column] = text
                else:
                    above.pop(column, None)
                cells.append(text)
                span = properties.find(qn("w:gridSpan")) if properties is not None else None
                column += int(span.get(qn("w:val")) or 1) if span is not None else 1
            rows.append(cells)
        if len(rows) == 1 and len(rows[0]) == 1:  # a frame drawn as a table
            yield from (
                Block("paragraph", one_line(x)) for x in paragraphs(rows[0][0]) if one_line(x)
            )
            return
        block = table(rows)
        if block:
            yield block

    def _cell(self, cell: Element) -> str:
        lines: list[str] = []
        for paragraph in cell.iter(qn("w:p")):
            text = one_line(_text(paragraph))
            if text:
                lines.append(self._numbering.prefix(paragraph) + text)
        return " ".join(lines)


def _text(paragraph: Element) -> str:
    """Text of a paragraph with tabs and line breaks; of drawn alternatives only the first."""
    parts: list[str] = []
    skipped: Element | None = None
    for event, node in iterwalk(paragraph, events=("start", "end")):
        if node is skipped and event == "end":
            skipped = None
        elif skipped is None and event == "start":
            nested = node.tag == qn("w:p") and node is not paragraph
            if node.tag in (FALLBACK, qn("w:del"), qn("w:moveFrom")):
                skipped = node
            elif node.tag == qn("w:t"):
                parts.append(node.text or "")
            elif node.tag == qn("w:tab") and node.getparent().tag == qn("w:r"):
                parts.append("\t")
            elif (node.tag in BREAKS and node.get(qn("w:type")) != "page") or nested:
                parts.append("\n")
    return "".join(parts)
