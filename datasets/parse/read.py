"""`parse`: one file to a `ParsedDocument`, by suffix and by first bytes, within limits."""

import re
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from zhengwu.datasets.errors import EmptyDocument, UnsupportedFormat
from zhengwu.datasets.parse.archive import ZIP, refuse_ole
from zhengwu.datasets.parse.document import ParsedDocument
from zhengwu.datasets.parse.docx import read_docx
from zhengwu.datasets.parse.html import charset, read_html
from zhengwu.datasets.parse.limits import Clock, Limits, check_size
from zhengwu.datasets.parse.markdown import read_markdown
from zhengwu.datasets.parse.pdf import read_pdf
from zhengwu.datasets.parse.text import decode, read_text

Reader = Callable[[Path, bytes, Limits, Clock], ParsedDocument]


def _markdown(path: Path, data: bytes, limits: Limits, clock: Clock) -> ParsedDocument:
    return read_markdown(decode(data, path.name), path.name)


def _text(path: Path, data: bytes, limits: Limits, clock: Clock) -> ParsedDocument:
    return read_text(decode(data, path.name))


def _html(path: Path, data: bytes, limits: Limits, clock: Clock) -> ParsedDocument:
    declared = charset(data)
    text = data.decode(declared, "replace") if declared else decode(data, path.name)
    return read_html(text, path.name, limits, clock)


def _docx(path: Path, data: bytes, limits: Limits, clock: Clock) -> ParsedDocument:
    return read_docx(path, limits, clock)


def _pdf(path: Path, data: bytes, limits: Limits, clock: Clock) -> ParsedDocument:
    return read_pdf(path, limits, clock)


FORMATS: dict[str, Reader] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".txt": _text,
    ".html": _html,
    ".htm": _html,
    ".docx": _docx,
    ".pdf": _pdf,
}
DATED = re.compile(r"^(?P<stem>.+?)\s*[(（](?P<date>\d{4}-\d{2}-\d{2})[)）]$")
TEXTS = (_markdown, _text, _html)


def parse(path: Path, limits: Limits = Limits()) -> ParsedDocument:  # noqa: B008 - frozen
    """Read one document.

    Args:
        path: The file. Its suffix names the format; its first bytes must agree.
        limits: Sizes, pages, depth and seconds that may not be passed.

    Raises:
        ParseError: one of its kinds in `zhengwu.datasets.errors`; the message names the remedy.
    """
    check_size(path, limits.max_mb)
    reader = FORMATS.get(path.suffix.lower())
    if reader in TEXTS:
        check_size(path, limits.max_text_mb, "请拆分为多个文件后重新上传")
    data = path.read_bytes()
    refuse_ole(path, data)
    if reader is None:
        known = "、".join(sorted(name.lstrip(".") for name in FORMATS))
        raise UnsupportedFormat(
            f"暂不支持“{path.suffix or path.name}”格式（文件“{path.name}”），"
            f"请转换为以下格式之一：{known}。"
        )
    if reader in TEXTS:
        reader = _by_content(path, data, reader)
    document = reader(path, data, limits, Clock(path, limits.seconds))
    if not document.blocks:
        raise EmptyDocument(f"“{path.name}”没有可读取的文字，请检查内容后重新上传。")
    dated = DATED.match(path.stem)
    meta = dict(document.meta) | ({"version_date": dated["date"]} if dated else {})
    return replace(
        document,
        title=document.title or (dated["stem"] if dated else path.stem),
        meta=MappingProxyType(meta),
        digest=sha256(data).hexdigest(),
    )


def _by_content(path: Path, data: bytes, reader: Reader) -> Reader:
    """A text suffix over other content is a mistake worth naming."""
    head = data[:1024].lstrip()
    if head.startswith(b"%PDF-") or (data.startswith(ZIP) and b"word/" in data[:4096]):
        kind = "PDF" if head.startswith(b"%PDF-") else "DOCX"
        raise UnsupportedFormat(
            f"“{path.name}”的内容是 {kind}，与后缀 {path.suffix} 不符，请改正后缀后重新上传。"
        )
    return reader
