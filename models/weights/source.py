"""The shape of a place that weights come from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zhengwu.models.cards import ModelCard, WeightFile
from zhengwu.models.weights.progress import Progress, Report, Stage


@dataclass(frozen=True)
class Fetch:
    """One pull: which model, into which folder, and who watches."""

    card: ModelCard
    folder: Path
    report: Report

    def say(self, stage: Stage, done: int = 0, total: int = 0, note: str = "") -> None:
        """Report one moment."""
        self.report(Progress(self.card.name, stage, done, total, note))

    def target(self, file: WeightFile) -> Path:
        """Return where a file belongs; its folder exists."""
        path = self.folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def part(self, file: WeightFile) -> Path:
        """Return where a file's unfinished download is kept."""
        target = self.target(file)
        return target.with_name(target.name + ".part")

    def missing(self) -> tuple[WeightFile, ...]:
        """Return the card's files that are not complete yet."""
        return tuple(
            f
            for f in self.card.files
            if not self.target(f).is_file() or self.target(f).stat().st_size != f.bytes
        )


class WeightSource(Protocol):
    """A place that weights come from."""

    name: str

    def offers(self, card: ModelCard) -> bool:
        """Whether this place may have the card's weights."""
        ...

    def fetch(self, fetch: Fetch) -> None:
        """Put every missing file, checked, into the folder.

        Raises:
            SourceFailed: it cannot; the next source may be tried.
            WeightsDigest: a file is not what the card says; no other source is tried.
            DiskTooSmall: there is no room.
        """
        ...
