"""Digests of files. A digest that differs is an error, never a warning."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from zhengwu.models.cards import WeightFile
from zhengwu.models.errors import WeightsDigest

BLOCK = 4 << 20
Tell = Callable[[int], None]
"""Hears how many bytes are done so far."""


def sha256_of(path: Path, tell: Tell | None = None) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            done += len(block)
            if tell:
                tell(done)
    return digest.hexdigest()


def git_blob_of(path: Path) -> str:
    """Return the SHA-1 that git gives the file: what Hugging Face lists for small files."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    digest.update(path.read_bytes())
    return digest.hexdigest()


def settle(part: Path, target: Path, file: WeightFile, tell: Tell | None = None) -> None:
    """Give a complete download its name, if it is what the card says; else remove it.

    Raises:
        WeightsDigest: it is not; the message names file, expected and found.
    """
    found = sha256_of(part, tell)
    if found != file.sha256:
        part.unlink()
        raise mismatch(target, file.sha256, found, "已删除下载内容，请核对来源后重新拉取")
    part.replace(target)


def mismatch(path: Path, expected: str, found: str, remedy: str) -> WeightsDigest:
    """Return the error for a file whose digest differs."""
    return WeightsDigest(f"文件 {path} 的摘要不符：应为 {expected}，实为 {found}。{remedy}")
