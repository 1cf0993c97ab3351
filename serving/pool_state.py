"""What the pool process says of itself in a file: nodes, deployments, and what it carried out.

Knows shapes only. The pool writes it every few seconds and after every change; others read it.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from zhengwu.serving.spec import Frozen

Outcome = Literal["starting", "done", "refused"]
DeploymentPhase = Literal["serving", "starting", "asleep", "drained", "failed"]


class NodeState(Frozen):
    """One Ray node."""

    name: str
    node_id: str
    alive: bool
    drained: bool = False
    """Being left by its replicas, or left."""
    head: bool = False
    resources: dict[str, float] = Field(default_factory=dict)
    free: dict[str, float] = Field(default_factory=dict)


class ReplicaState(Frozen):
    """One replica of the version in service."""

    node: str
    phase: str
    """Ray Serve's own word: RUNNING, STARTING, PENDING_MIGRATION, …"""


class DeploymentState(Frozen):
    """One model."""

    model: str
    version: int
    phase: DeploymentPhase
    replicas: tuple[ReplicaState, ...] = ()
    message: str = ""

    @property
    def running(self) -> int:
        """Replicas that answer."""
        return sum(one.phase == "RUNNING" for one in self.replicas)


class Refusal(Frozen):
    """A model whose new version is not in service; the old one, if any, still is."""

    model: str
    version: int
    message: str


class PoolState(Frozen):
    """The state file."""

    revision: int
    """The last one that was carried out or refused."""
    outcome: Outcome
    message: str = ""
    refusals: tuple[Refusal, ...] = ()
    nodes: tuple[NodeState, ...] = ()
    deployments: tuple[DeploymentState, ...] = ()
    written: float
    """Seconds since the epoch."""


def state_file(spec_file: Path) -> Path:
    """Where the pool of a spec file writes its state."""
    return spec_file.with_suffix(".state.json")


def write_file(path: Path, text: str) -> None:
    """Replace a file at once, so that a reader never sees half of it."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def read_state(spec_file: Path) -> PoolState | None:
    """The state of the pool of a spec file; None before its first."""
    try:
        return PoolState.model_validate_json(state_file(spec_file).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
