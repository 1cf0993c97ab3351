"""Is there room for the weights. Knows the disk; knows no model."""

import shutil
from collections.abc import Callable
from pathlib import Path

from zhengwu.models.errors import DiskTooSmall

FreeBytes = Callable[[Path], int]
MARGIN = 64 << 20
"""Kept free, in bytes, besides what the weights need."""


def free_bytes(path: Path) -> int:
    """Return the free bytes of the file system that holds `path`, which need not exist yet."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def require_space(path: Path, need: int, free: FreeBytes = free_bytes) -> None:
    """Check that `need` bytes fit beside `path`.

    Raises:
        DiskTooSmall: they do not; names the missing GB and the setting.
    """
    have = free(path)
    missing = need + MARGIN - have
    if need and missing > 0:
        raise DiskTooSmall(
            f"磁盘空间不足：{path} 还需 {(need + MARGIN) / 1e9:.2f} GB，可用 {have / 1e9:.2f} GB，"
            f"缺 {missing / 1e9:.2f} GB。请清理磁盘，或用 ZHENGWU_WEIGHTS 指定更大的目录"
        )
