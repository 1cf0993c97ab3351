"""What a file is by its first bytes, and whether an Office archive may be opened at all."""

import zipfile
from pathlib import Path

from zhengwu.datasets.errors import (
    ArchiveBomb,
    CorruptDocument,
    EncryptedDocument,
    UnsupportedFormat,
)
from zhengwu.datasets.parse.limits import MB, Limits

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP = b"PK"


def refuse_ole(path: Path, data: bytes) -> None:
    """Refuse the old binary container: it holds an encrypted document, or an old format.

    Raises:
        EncryptedDocument: an Office document with a password.
        UnsupportedFormat: DOC, WPS, XLS or PPT.
    """
    if not data.startswith(OLE):
        return
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise EncryptedDocument(f"“{path.name}”设有打开密码，请去除密码后重新上传。")
    raise UnsupportedFormat(
        f"“{path.name}”是旧版二进制格式（DOC、WPS 等），请用 Word 或 WPS 另存为 DOCX 后重新上传。"
    )


def check_archive(path: Path, limits: Limits) -> None:
    """Check an Office archive by its directory, before any member is unpacked.

    The sizes in the directory bind: `zipfile` stops reading a member where its stated size ends,
    and raises when the content does not fit it.

    Raises:
        ArchiveBomb: too many members, too large, or packed beyond the allowed ratio.
        CorruptDocument: not a ZIP archive, or not a Word document.
        EncryptedDocument: members are encrypted.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise CorruptDocument(
            f"“{path.name}”已损坏，不是有效的 DOCX 文件。请用 Word 或 WPS 打开并另存后重新上传。"
        ) from error
    if len(members) > limits.max_members:
        raise ArchiveBomb(
            f"“{path.name}”内含 {len(members)} 个部件，超过上限 {limits.max_members}，已拒绝。"
        )
    unpacked = sum(member.file_size for member in members)
    if unpacked > limits.max_unpacked_mb * MB:
        raise ArchiveBomb(
            f"“{path.name}”解压后为 {unpacked / MB:.0f} MB，"
            f"超过上限 {limits.max_unpacked_mb:g} MB，疑似压缩炸弹，已拒绝。"
            "请减少内容或提供纯文本版本。"
        )
    for member in members:
        ratio = member.file_size / max(member.compress_size, 1)
        if member.file_size > MB and ratio > limits.max_ratio:
            raise ArchiveBomb(
                f"“{path.name}”中 {member.filename[:80]} 的压缩比为 {ratio:.0f}，"
                f"超过上限 {limits.max_ratio:g}，疑似压缩炸弹，已拒绝。请另存后重新上传。"
            )
        if member.flag_bits & 0x1:
            raise EncryptedDocument(f"“{path.name}”设有密码，请去除密码后重新上传。")
    if not any(member.filename == "[Content_Types].xml" for member in members):
        raise CorruptDocument(
            f"“{path.name}”不是 Word 文档（缺少内容类型清单），请上传 DOCX 文件。"
        )
