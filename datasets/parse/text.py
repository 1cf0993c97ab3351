"""Plain text in UTF-8, UTF-16 or GB 18030: run-together lines are taken apart."""

from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType

from zhengwu.datasets.errors import CorruptDocument
from zhengwu.datasets.parse.clean import clean, one_line
from zhengwu.datasets.parse.document import Block, ParsedDocument
from zhengwu.datasets.parse.lines import ends_like_title, paragraphs, split_title
from zhengwu.datasets.parse.marks import begins_item

BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
MAX_TITLE = 120


def decode(data: bytes, name: str = "") -> str:
    """Text of bytes: by byte order mark, else UTF-8, else GB 18030 (it contains GBK).

    Raises:
        CorruptDocument: none of them fits, or the bytes are not text.
    """
    encodings = [encoding for mark, encoding in BOMS if data.startswith(mark)]
    for encoding in [*encodings, "utf-8", "gb18030"]:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if text.count("\x00") > max(8, len(text) // 100):
            break
        return text
    raise CorruptDocument(f"“{name}”不是文本文件，或编码无法识别。请另存为 UTF-8 编码后重新上传。")


def read_text(text: str, title: str = "", meta: Mapping[str, str] | None = None) -> ParsedDocument:
    """Parse text in memory. Without `title`, the first line is the title where it can be one."""
    pieces: list[str] = []
    for line in clean(text).split("\n"):
        pieces.extend(one_line(part) for part in paragraphs(line.strip()))
    pieces = [piece for piece in pieces if piece]
    if not title and pieces:
        title, pieces = _take_title(pieces)
    return ParsedDocument(
        title=title,
        blocks=tuple(Block("paragraph", piece) for piece in pieces),
        meta=MappingProxyType(dict(meta or {})),
        format="text",
        digest=sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
    )


def _take_title(pieces: list[str]) -> tuple[str, list[str]]:
    """The title and the remaining pieces; the first piece may hold both, run together."""
    first = pieces[0]
    if begins_item(first):
        return "", pieces
    title, rest = split_title(first)
    if title and " " in first and ends_like_title(title):
        return title, [rest, *pieces[1:]]
    if len(first) <= 60 and not first.endswith(("。", "；", "：", ":")):
        return first, pieces[1:]
    if title:
        return title, [rest, *pieces[1:]]
    if len(first) <= MAX_TITLE and not first.endswith(("。", "；", "：", ":")):
        return first, pieces[1:]
    return "", pieces
