"""Digital PDF: lines in reading order merged into paragraphs, running heads dropped, tables kept.

pdfium reads the text and its boxes; pdfplumber is asked only on pages with ruling lines, for the
tables. Pages that are pictures have no text to read and are refused with a remedy.
"""

from pathlib import Path
from types import MappingProxyType

import pdfplumber
import pypdfium2 as pdfium
from pdfminer.pdfexceptions import PDFException
from pdfplumber.utils.exceptions import PdfminerException
from pypdfium2.raw import FPDF_PAGEOBJ_PATH

from zhengwu.datasets.errors import (
    CorruptDocument,
    EncryptedDocument,
    FileTooLarge,
    NoTextLayer,
)
from zhengwu.datasets.parse.clean import one_line
from zhengwu.datasets.parse.document import Block, ParsedDocument, table
from zhengwu.datasets.parse.limits import Clock, Limits
from zhengwu.datasets.parse.pdf_lines import Line, merge, without_running_heads

MIN_RULES, MAX_RULES = 4, 3_000
MAX_PAGE_CHARS = 60_000
Box = tuple[float, float, float, float]


def read_pdf(path: Path, limits: Limits, clock: Clock) -> ParsedDocument:
    """Parse a PDF file that passed the size check.

    Raises:
        EncryptedDocument, CorruptDocument, FileTooLarge, NoTextLayer: see the messages.
    """
    try:
        document = pdfium.PdfDocument(str(path))
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise EncryptedDocument(f"“{path.name}”设有打开密码，请去除密码后重新上传。") from error
        raise CorruptDocument(
            f"“{path.name}”已损坏，不是有效的 PDF。请重新导出后上传，或提供文本版本。"
        ) from error
    try:
        if len(document) > limits.max_pages:
            raise FileTooLarge(
                f"“{path.name}”共 {len(document)} 页，"
                f"超过上限 {limits.max_pages} 页，请拆分后上传。"
            )
        pages = [_page(document, number, path.name, clock) for number in range(len(document))]
        meta = {k: one_line(v) for k, v in document.get_metadata_dict().items() if one_line(v)}
    finally:
        document.close()
    lines = [line for page, _ in pages for line in page]
    if sum(len(line.text) for line in lines) < 10:
        raise NoTextLayer(
            f"“{path.name}”没有文字层，疑似扫描件。当前版本不识别图片文字，"
            "请提供文字版（DOCX、文本或数字版 PDF）。"
        )
    ruled = [number for number, (_, has_rules) in enumerate(pages) if has_rules]
    tables = _tables(path, ruled, clock) if ruled else {}
    blocks = _assemble([page for page, _ in pages], tables)
    title, blocks = _title(blocks)
    return ParsedDocument(title, tuple(blocks), MappingProxyType(meta), "pdf")


def _page(
    document: pdfium.PdfDocument, number: int, name: str, clock: Clock
) -> tuple[list[Line], bool]:
    """Lines of one page from top to bottom, and whether it has ruling lines."""
    clock.check()
    try:
        page = document[number]
        height = page.get_height()
        text = page.get_textpage()
    except pdfium.PdfiumError as error:
        raise CorruptDocument(f"“{name}”第 {number + 1} 页已损坏，请重新导出后上传。") from error
    if text.count_chars() > MAX_PAGE_CHARS:
        raise FileTooLarge(f"“{name}”第 {number + 1} 页文字过多，请提供文本版本。")
    fragments: list[Line] = []
    for index in range(text.count_rects()):
        clock.check()
        left, bottom, right, top = text.get_rect(index)
        shown = one_line(text.get_text_bounded(left, bottom, right, top))
        if shown:
            fragments.append(
                Line(shown, number + 1, left, height - top, right, height - bottom, height)
            )
    rules = 0
    for _ in page.get_objects(filter=[FPDF_PAGEOBJ_PATH], max_depth=3):
        rules += 1
        if rules > MAX_RULES:
            break
    text.close()
    page.close()
    return _join(fragments), MIN_RULES <= rules <= MAX_RULES


def _join(fragments: list[Line]) -> list[Line]:
    """Fragments that stand on one line become one, left to right."""
    lines: list[list[Line]] = []
    for part in sorted(fragments, key=lambda f: (f.top + f.bottom) / 2):
        last = lines[-1] if lines else None
        if last and last[0].top < (part.top + part.bottom) / 2 < last[0].bottom:
            last.append(part)
        else:
            lines.append([part])
    joined: list[Line] = []
    for parts in lines:
        parts.sort(key=lambda f: f.left)
        text = parts[0].text
        for before, part in zip(parts, parts[1:], strict=False):
            wide = part.left - before.right > 0.3 * (part.bottom - part.top)
            text += (" " if wide else "") + part.text
        joined.append(
            Line(text, parts[0].page, parts[0].left, min(p.top for p in parts),
                 max(p.right for p in parts), max(p.bottom for p in parts), parts[0].height)
        )  # fmt: skip
    return joined


def _tables(path: Path, pages: list[int], clock: Clock) -> dict[int, list[tuple[Box, Block]]]:
    """Tables with ruling lines on the given pages (from 0), by page number (from 1)."""
    found: dict[int, list[tuple[Box, Block]]] = {}
    try:
        with pdfplumber.open(path, pages=[number + 1 for number in pages]) as document:
            for page in document.pages:
                clock.check()
                for item in page.find_tables():
                    rows = [[cell or "" for cell in row] for row in item.extract()]
                    block = table(rows, page.page_number)
                    if block and len(block.rows) > 1 and max(map(len, block.rows)) > 1:
                        found.setdefault(page.page_number, []).append((item.bbox, block))
                page.close()
    except (PDFException, PdfminerException, ValueError, KeyError, TypeError) as error:
        raise CorruptDocument(f"“{path.name}”中的表格无法读取，请重新导出后上传。") from error
    return found


def _assemble(pages: list[list[Line]], tables: dict[int, list[tuple[Box, Block]]]) -> list[Block]:
    """Text between tables is merged into paragraphs; tables stand where they stood."""
    blocks: list[Block] = []
    run: list[Line] = []
    for lines in without_running_heads(pages):
        page = lines[0].page if lines else 0
        waiting = sorted(tables.get(page, []), key=lambda item: item[0][1])
        for line in lines:
            middle = (line.top + line.bottom) / 2
            while waiting and waiting[0][0][1] <= middle:
                _, block = waiting.pop(0)
                blocks += merge(run)
                run = []
                blocks.append(block)
            inside = any(
                box[1] <= middle <= box[3] and box[0] - 2 <= line.left <= box[2]
                for box, _ in tables.get(page, [])
            )
            if not inside:
                run.append(line)
    return blocks + merge(run)


def _title(blocks: list[Block]) -> tuple[str, list[Block]]:
    if blocks and blocks[0].kind == "heading" and blocks[0].level == 1:
        return blocks[0].text, blocks[1:]
    first = blocks[0].text if blocks else ""
    if blocks and blocks[0].kind == "paragraph" and len(first) <= 60 and first[-1:] not in "。；：":
        return first, blocks[1:]
    return "", blocks
