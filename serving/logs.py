"""Log files of the stack's children: appended, rotated, their event lines read back."""

import os
import shutil
from pathlib import Path
from typing import BinaryIO, cast

import orjson

KEPT = 3
MAX_BYTES = 10 * 2**20


class ChildLog:
    """One log file. The child writes to it directly; rotation copies and truncates."""

    def __init__(self, path: Path) -> None:
        """Append to `path`; its folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._read_to = path.stat().st_size if path.exists() else 0

    def open(self) -> BinaryIO:
        """For the child's standard output and error. Appending, so truncation is safe."""
        return self.path.open("ab")

    def new_events(self) -> list[dict[str, object]]:
        """JSON lines with an `event` that were written since the last call."""
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            fresh = file.read(2**20)
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._read_to += len(whole)
        events: list[dict[str, object]] = []
        for line in whole.splitlines():
            if line.startswith(b'{"event"'):
                try:
                    events.append(cast(dict[str, object], orjson.loads(line)))
                except orjson.JSONDecodeError:
                    continue  # a line of another program that only looks like ours
        return events

    def tail(self, lines: int = 8) -> str:
        """The last lines, for an error message."""
        with self.path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
            text = file.read().decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])

    def rotate(self) -> None:
        """Keep the file under `MAX_BYTES`, and `KEPT` older ones."""
        if self.path.stat().st_size < MAX_BYTES:
            return
        for number in range(KEPT - 1, 0, -1):
            older = self.path.with_suffix(f".log.{number}")
            if older.exists():
                older.replace(self.path.with_suffix(f".log.{number + 1}"))
        shutil.copyfile(self.path, self.path.with_suffix(".log.1"))
        os.truncate(self.path, 0)
        self._read_to = 0
