"""What a stack tells while it starts, runs and stops, and the state it leaves in a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["starting", "progress", "ready", "exited", "restarting", "stopping", "stopped", "up"]
Phase = Literal["starting", "up", "stopping"]


class StackEvent(BaseModel):
    """One thing that happened. `message` is for a person."""

    model_config = ConfigDict(frozen=True)

    event: Kind
    child: str | None = None
    message: str
    seconds: float
    """Since `zhengwu up`."""


OnEvent = Callable[[StackEvent], None]


class ChildState(BaseModel):
    """One child as the supervisor last saw it."""

    pid: int | None = None
    ready: bool = False
    restarts: int = 0


class StackState(BaseModel):
    """The state file of a running stack."""

    pid: int
    phase: Phase
    started: str
    """ISO time, UTC."""
    url: str
    ports: dict[str, int] = Field(default_factory=dict)
    children: dict[str, ChildState] = Field(default_factory=dict)


def write_state(path: Path, state: StackState) -> None:
    """Replace the state file at once, so that a reader never sees half of it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(state.model_dump_json(indent=2), encoding="utf-8")
    fresh.replace(path)
