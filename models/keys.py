"""The keys of closed models: from the environment, or from a file that only its owner may read.

Never in the database, never in a message, never in a log: what is printed are their names.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from zhengwu.errors import SettingsError

LINE = re.compile(r"([A-Z][A-Z0-9_]*)=(\S+)")
LONGEST_FILE = 1 << 20


class Keys(Mapping[str, str]):
    """Keys by the name of their variable. Shows names only."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = dict(keys)

    def __getitem__(self, name: str) -> str:
        """The key."""
        return self._keys[name]

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._keys)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._keys)

    def __repr__(self) -> str:
        """The names, never a key."""
        return f"Keys({', '.join(sorted(self._keys))})"


def read_keys(environment: Mapping[str, str], file: Path | None = None) -> Keys:
    """The keys of the environment, and of `file`; the environment comes first.

    Args:
        environment: variables by name.
        file: lines `NAME=key`; empty lines and lines that begin with `#` are skipped.

    Raises:
        SettingsError: the file is missing, readable for others, or a line is none of these.
    """
    return Keys({**_of_file(file), **environment} if file else environment)


def _of_file(path: Path) -> Mapping[str, str]:
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())  # of what is read, not of what the name means later
            _must_be_private(path, about)
            text = file.read(LONGEST_FILE).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"密钥文件 {path} 无法读取：{type(error).__name__}") from error
    keys: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if match is None:
            raise SettingsError(f"密钥文件 {path} 第 {number} 行应为 变量名=密钥")
        keys[match[1]] = match[2]
    return keys


def _must_be_private(path: Path, about: os.stat_result) -> None:
    if not stat.S_ISREG(about.st_mode) or about.st_mode & 0o077:
        raise SettingsError(f"密钥文件 {path} 可被他人读取，请执行 chmod 600 {path}")
    if about.st_uid not in (os.geteuid(), 0):
        raise SettingsError(f"密钥文件 {path} 的属主不是运行本程序的用户，请更换属主")
