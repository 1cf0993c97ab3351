"""The pool's look at itself: routes kept true, the state file written, left nodes noticed.

Knows the rollout and the cluster; the pool process decides when to look.
"""

import logging
import time
from pathlib import Path

from zhengwu.serving.cluster import nodes, replicas
from zhengwu.serving.pool_state import (
    DeploymentPhase,
    DeploymentState,
    NodeState,
    Outcome,
    PoolState,
    Refusal,
    ReplicaState,
    state_file,
    write_file,
)
from zhengwu.serving.rollout import Rollout, sleeps, why
from zhengwu.serving.spec import DeploymentSpec, PoolSpec

LOG = logging.getLogger(__name__)
EVERY_S = 2.0


class Watch:
    """Looks, and writes down what it saw."""

    def __init__(self, spec_file: Path, rollout: Rollout) -> None:
        """Nothing is written yet."""
        self._file = state_file(spec_file)
        self._rollout = rollout
        self._due = 0.0
        self._seen: dict[str, bool] = {}
        self._said: tuple[int, Outcome, str, tuple[Refusal, ...]] = (0, "starting", "", ())

    def say(
        self, revision: int, outcome: Outcome, message: str, refusals: tuple[Refusal, ...] = ()
    ) -> None:
        """What became of a revision; written with the next look, which is due now."""
        self._said = (revision, outcome, message, refusals)
        self._due = 0.0

    def look(self, spec: PoolSpec) -> list[NodeState]:
        """One round, when it is due.

        Returns:
            The nodes that came, went or died since the last round.
        """
        from ray.exceptions import RayError

        if time.monotonic() < self._due:
            return []
        self._due = time.monotonic() + EVERY_S
        try:
            self._rollout.write_routes()
            found = nodes(spec.drained_nodes)
            self._write(found)
        except (RayError, TimeoutError) as error:  # busy, not gone: look again in a while
            LOG.warning("could not look at the pool: %s", error)
            return []
        changed = [node for node in found if self._seen.get(node.name, False) != node.alive]
        self._seen = {node.name: node.alive for node in found}
        return changed

    def _write(self, found: tuple[NodeState, ...]) -> None:
        revision, outcome, message, refusals = self._said
        state = PoolState(
            revision=revision,
            outcome=outcome,
            message=message,
            refusals=refusals,
            nodes=found,
            deployments=_deployments(self._rollout.live, found),
            written=time.time(),
        )
        write_file(self._file, state.model_dump_json(indent=2))


def _deployments(
    live: tuple[DeploymentSpec, ...], found: tuple[NodeState, ...]
) -> tuple[DeploymentState, ...]:
    from ray import serve

    status, by_application = serve.status(), replicas(found)
    states: list[DeploymentState] = []
    for one in live:
        application = status.applications.get(one.application)
        placed = by_application.get(one.application, ())
        phase = _phase(one, placed)
        rests = one.min_replicas == 0 and application is not None and sleeps(application)
        if phase == "starting" and rests:
            phase = "asleep"
        states.append(
            DeploymentState(
                model=one.model,
                version=one.version,
                phase=phase,
                replicas=placed,
                message="" if phase in ("serving", "asleep") else why(status, one.application),
            )
        )
    return tuple(states)


def _phase(one: DeploymentSpec, placed: tuple[ReplicaState, ...]) -> DeploymentPhase:
    if one.drained:
        return "drained"
    return "serving" if any(replica.phase == "RUNNING" for replica in placed) else "starting"
