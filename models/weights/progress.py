"""What a pull tells whoever watches it. Knows no terminal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal["waiting", "source", "downloading", "assembling", "verifying", "done"]


@dataclass(frozen=True)
class Progress:
    """One moment of a pull. `done` and `total` are bytes; `note` is for people, in Chinese."""

    model: str
    stage: Stage
    done: int = 0
    total: int = 0
    note: str = ""


Report = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Tell nobody."""
