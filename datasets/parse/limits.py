"""How much a parser may read and how long it may take. Knows no format."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from zhengwu.datasets.errors import EmptyDocument, FileTooLarge, ParseTimeout, UnsupportedFormat

MB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Limits of one parse; every one that is passed raises an error that names it."""

    max_mb: float = 100.0
    """Size of the file."""
    max_text_mb: float = 20.0
    """Size of Markdown, text and HTML files, which are read whole into memory."""
    max_unpacked_mb: float = 400.0
    """All members of a DOCX together."""
    max_ratio: float = 200.0
    """Unpacked to packed size of a DOCX member above 1 MB."""
    max_members: int = 5_000
    max_pages: int = 1_000
    max_depth: int = 200
    """Nesting of HTML and XML elements."""
    max_blocks: int = 200_000
    seconds: float = 120.0


@dataclass
class Clock:
    """Raises when the time of one parse is over; parsers ask it in every loop."""

    path: Path
    seconds: float
    started: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        """Go on, or raise.

        Raises:
            ParseTimeout: the allowed time has passed.
        """
        if time.monotonic() - self.started > self.seconds:
            raise ParseTimeout(
                f"解析“{self.path.name}”超过 {self.seconds:g} 秒，已停止。"
                "请拆分文件，或提供纯文本版本。"
            )


def check_size(path: Path, max_mb: float, remedy: str = "请拆分或压缩图片后重新上传") -> int:
    """The size of the file in bytes, asked of the file system before a byte is read.

    Raises:
        FileTooLarge: larger than `max_mb`.
        EmptyDocument: no bytes at all.
        UnsupportedFormat: not a file, or unreadable.
    """
    if not path.is_file():
        raise UnsupportedFormat(f"找不到文件“{path}”，请检查路径。")
    size = path.stat().st_size
    if size > max_mb * MB:
        raise FileTooLarge(
            f"“{path.name}”大小为 {size / MB:.1f} MB，超过上限 {max_mb:g} MB，{remedy}。"
        )
    if size == 0:
        raise EmptyDocument(f"“{path.name}”是空文件，请检查后重新上传。")
    return size
