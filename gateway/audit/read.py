"""Reads a writer's journal into pairs, while it grows or after its process died.

Knows lines and segments; knows no database. A segment goes once everything in it is moved.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from zhengwu.gateway.audit.journal import LOCK, SUFFIX, segment_name
from zhengwu.gateway.audit.line import lost, torn

CHUNK = 256 * 1024

Line = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """An intent and its outcome, and the segments they stand in."""

    writer: str
    intent: Line
    outcome: Line
    segments: tuple[int, int]

    @property
    def id(self) -> str:
        """What makes the record unique: the request's own id may be a caller's choice."""
        return f"{self.writer}:{self.intent['n']}"


class JournalReader:
    """The pairs of one writer, each once, and again after a restart until it was `moved`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = folder.name
        self._number = min(_numbers(folder), default=1)
        self._offset = 0
        self._open: dict[int, tuple[int, Line]] = {}
        self._left: Counter[int] = Counter()
        """How many intents and outcomes of a segment were read and not moved yet."""
        self._first = self._number

    @property
    def open(self) -> int:
        """Intents read whose outcome has not been."""
        return len(self._open)

    def behind(self) -> int:
        """Bytes of the journal that were not read yet."""
        ahead = (n for n in _numbers(self.folder) if n >= self._number)
        sizes = sum((self.folder / segment_name(n)).stat().st_size for n in ahead)
        return max(0, sizes - self._offset)

    def read(self, ended: bool = False) -> list[Pair]:
        """The next pairs, of one chunk; none at the end. `ended`: the process is gone for good."""
        while True:
            last = self._path(self._number + 1) is None  # looked at before reading: see Journal
            path = self._path(self._number)
            data = _chunk(path, self._offset) if path else b""
            whole = data[: data.rfind(b"\n") + 1]
            if not whole and data and (ended or not last or len(data) == CHUNK):
                whole = data  # a last line that nobody will end, or no line of ours
            if whole:
                self._offset += len(whole)
                if pairs := self._pairs(whole):
                    return pairs
                continue
            if last:
                return self._ended() if ended else []
            self._number, self._offset = self._number + 1, 0

    def moved(self, pairs: list[Pair]) -> None:
        """Forget pairs that are in the database for good, and drop segments that are done."""
        for pair in pairs:
            self._left.subtract(pair.segments)
        while self._first < self._number and self._left[self._first] <= 0:
            (self.folder / segment_name(self._first)).unlink(missing_ok=True)
            self._first += 1

    def remove(self) -> None:
        """Remove the folder of a dead writer whose pairs are all moved."""
        for path in self.folder.iterdir():
            if path.name != LOCK:
                path.unlink()
        (self.folder / LOCK).unlink()
        self.folder.rmdir()

    def _path(self, number: int) -> Path | None:
        path = self.folder / segment_name(number)
        return path if path.exists() else None

    def _pairs(self, data: bytes) -> list[Pair]:
        found: list[Pair] = []
        for raw in data.splitlines():
            if not raw:
                continue
            try:
                line: Line = orjson.loads(raw)
            except orjson.JSONDecodeError:
                found.append(self._torn(raw))
                continue
            if line["k"] == "i":
                self._open[line["n"]] = self._number, line
                self._left[self._number] += 1
            elif (began := self._open.pop(line["n"], None)) is not None:
                self._left[self._number] += 1
                found.append(self._pair(began[1], line, (began[0], self._number)))
        return found

    def _torn(self, raw: bytes) -> Pair:
        self._left[self._number] += 2
        intent, outcome = torn(-(self._number * 10**9 + self._offset), raw)
        return self._pair(intent, outcome, (self._number, self._number))

    def _ended(self) -> list[Pair]:
        began, self._open = self._open, {}
        for segment, _ in began.values():
            self._left[segment] += 1
        return [self._pair(line, lost(n), (seg, seg)) for n, (seg, line) in began.items()]

    def _pair(self, intent: Line, outcome: Line, segments: tuple[int, int]) -> Pair:
        return Pair(self.writer, intent, outcome, segments)


def _numbers(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob(f"*{SUFFIX}")]


def _chunk(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(CHUNK)
