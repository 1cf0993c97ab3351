"""An append-only journal of one process: one write a line. Knows folders, files and locks only.

`<root>/<writer>/` holds `lock`, locked as long as the process lives (the kernel lets go at
kill -9), and segments `00000001.jsonl`, …. A line that `append` has written survives the death
of the process, not a loss of power: for that `sync` must have followed (see ADR 8).
"""

import fcntl
import os
import time
from pathlib import Path
from uuid import uuid4

from zhengwu.gateway.audit.errors import JournalUnwritable

LOCK = "lock"
SUFFIX = ".jsonl"
SEGMENT_BYTES = 8 * 1024 * 1024
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


def segment_name(number: int) -> str:
    """The file name of a segment, from 1."""
    return f"{number:08d}{SUFFIX}"


def lock_folder(folder: Path) -> int | None:
    """Lock a writer's folder; None if its process lives. Close the number to let go."""
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


class Journal:
    """The journal of this process. One thread writes."""

    def __init__(self, root: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Begin a new folder under `root`.

        Raises:
            JournalUnwritable: the folder cannot be made.
        """
        self.writer = f"{time.time_ns():x}-{uuid4().hex[:8]}"
        self.folder = root / self.writer
        self._segment_bytes = segment_bytes
        self._number = 0
        self._written = 0
        self._torn = False
        self._unsynced = False
        self._handle = -1
        hidden = root / f".{self.writer}"
        try:
            hidden.mkdir(parents=True, mode=0o700)
            self._lock = os.open(hidden / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            hidden.rename(self.folder)  # seen by others only once it is locked
            self._next_segment()
        except OSError as error:
            raise self._unwritable(error) from error

    def append(self, line: bytes) -> None:
        """Write one line with one call.

        Raises:
            JournalUnwritable: it is not written, or not whole.
        """
        if self._written >= self._segment_bytes:
            self._next_segment()
        data = b"\n" + line if self._torn else line
        try:
            written = os.write(self._handle, data)
        except OSError as error:
            raise self._unwritable(error) from error
        self._written += written
        self._unsynced = True
        self._torn = written != len(data)
        if self._torn:
            raise self._unwritable(None)

    def sync(self) -> None:
        """Bring every line to the disk. Blocks; call it from a thread of its own."""
        if not self._unsynced:
            return
        self._unsynced = False
        handle = os.dup(self._handle)
        try:
            os.fdatasync(handle)
        finally:
            os.close(handle)

    def close(self) -> None:
        """Let go of the folder: another process may take up what is left in it."""
        os.fdatasync(self._handle)
        os.close(self._handle)
        os.close(self._lock)

    def _next_segment(self) -> None:
        before = self._handle
        try:
            path = self.folder / segment_name(self._number + 1)
            self._handle = os.open(path, _FLAGS, 0o600)
        except OSError as error:
            raise self._unwritable(error) from error
        self._number, self._written, self._torn = self._number + 1, 0, False
        if before >= 0:
            os.fdatasync(before)
            os.close(before)

    def _unwritable(self, error: OSError | None) -> JournalUnwritable:
        why = error.strerror if error else "磁盘空间不足"
        return JournalUnwritable(
            f"审计日志无法写入（{self.folder.parent}：{why}），请求未发出。"
            "请检查磁盘空间和目录权限后重试。"
        )
