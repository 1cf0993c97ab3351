"""Check weights on this machine against their digests. Fetches nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zhengwu.models.cards import ModelCard, WeightFile
from zhengwu.models.errors import WeightsMissing
from zhengwu.models.weights.digest import sha256_of
from zhengwu.models.weights.folder import expected, home, installed, locate
from zhengwu.models.weights.progress import Progress, Report, silent
from zhengwu.settings import Settings


@dataclass(frozen=True)
class Checked:
    """One file: what its digest should be and what it is (None: the file is not there)."""

    path: Path
    expected: str
    found: str | None

    @property
    def ok(self) -> bool:
        """Whether the file is what it should be."""
        return self.expected == self.found


def verify(card: ModelCard, settings: Settings, report: Report = silent) -> tuple[Checked, ...]:
    """Return the state of every file of the card's weights.

    Raises:
        WeightsMissing: the card has no weights, or they are not on this machine at all.
    """
    files = expected(card, settings)
    paths = [_path(card, settings, file) for file in files]
    if not any(path.is_file() for path in paths):
        locate(card, settings)  # says what to do
        raise WeightsMissing(f"模型“{card.name}”的权重不在本机")
    return tuple(
        Checked(path, file.sha256, _found(path, _teller(card, file, report)))
        for file, path in zip(files, paths, strict=True)
    )


def _path(card: ModelCard, settings: Settings, file: WeightFile) -> Path:
    return installed(card) or home(card, settings) / file.name


def _found(path: Path, tell: Callable[[int], None]) -> str | None:
    return sha256_of(path, tell) if path.is_file() else None


def _teller(card: ModelCard, file: WeightFile, report: Report) -> Callable[[int], None]:
    def tell(done: int) -> None:
        report(Progress(card.name, "verifying", done, file.bytes, f"核验 {file.name}"))

    return tell
