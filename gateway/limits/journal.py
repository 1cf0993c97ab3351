"""An append-only journal of lines of integers: what is written survives a kill -9 at once.

Each write goes to the system before the call returns; `sync` brings it to the disk. Files are named
by the position at which they begin, so a position means the same through every rotation. Knows
nothing of what the integers mean.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

Line = list[int | str]
ROTATE_BYTES = 16 * 1024 * 1024


class Journal:
    """The journal in one folder, written by one process.

    `at_least`: the lowest position to go on at, for where files were removed by hand.
    """

    def __init__(self, folder: Path, at_least: int = 0, rotate_bytes: int = ROTATE_BYTES) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._rotate_bytes = rotate_bytes
        last = max(self._files(), default=None)
        # A line that a crash cut short stays where it is, at the end of a file of the past.
        self.position = max(at_least, last[0] + last[1].stat().st_size if last else 0)
        self._begin = self.position
        self._file = self._open()

    def append(self, line: Sequence[int | str]) -> None:
        """Write one line; when this returns a kill -9 cannot lose it."""
        data = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
        written = os.write(self._file, data)
        while written < len(data):
            written += os.write(self._file, data[written:])
        self.position += len(data)
        if self.position - self._begin >= self._rotate_bytes:
            self._rotate()

    def read(self) -> Iterator[tuple[int, Line]]:
        """Every whole line that is kept, with its position, the oldest first."""
        for start, path in sorted(self._files()):
            position = start
            for data in path.read_bytes().split(b"\n"):
                if line := _whole(data):
                    yield position, line
                position += len(data) + 1

    def sync(self) -> int:
        """Bring what is written to the disk, and say up to which position that is."""
        position = self.position
        os.fdatasync(self._file)
        return position

    def forget(self, before: int, older_than: float) -> None:
        """Remove files that end at or before `before` and were last written before `older_than`."""
        for start, path in self._files():
            told = path.stat()
            if start != self._begin and start + told.st_size <= before:
                if told.st_mtime < older_than:
                    path.unlink()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _rotate(self) -> None:
        os.fdatasync(self._file)
        os.close(self._file)
        self._begin = self.position
        self._file = self._open()

    def _open(self) -> int:
        path = self._folder / f"limits-{self._begin:020d}.journal"
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def _files(self) -> Iterator[tuple[int, Path]]:
        for path in self._folder.glob("limits-*.journal"):
            yield int(path.stem.removeprefix("limits-")), path


def _whole(data: bytes) -> Line | None:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
