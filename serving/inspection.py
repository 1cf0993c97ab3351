"""Look at a running pool from outside: nodes, deployments, replicas, queues, versions.

Knows the pool's files and the engines' `/health` and `/load`; changes nothing.
"""

import http.client
import json
import urllib.error
import urllib.request

from pydantic import BaseModel, ConfigDict

from zhengwu.serving.keeper import answers
from zhengwu.serving.operate import running_spec
from zhengwu.serving.pool_state import DeploymentState, NodeState, PoolState, read_state
from zhengwu.serving.spec import DeploymentSpec, PoolSpec
from zhengwu.settings import Settings


class EngineStatus(BaseModel):
    """One deployment, as its engine answers just now."""

    model_config = ConfigDict(frozen=True)

    model: str
    engine: str
    url: str
    version: int
    phase: str
    """serving, starting, asleep, drained or failed."""
    healthy: bool
    ongoing: int | None
    """Requests at work and in line, of the replica that was asked; None when it did not answer."""
    waiting: int | None
    """Those of them in line."""
    limit: int
    queue_limit: int
    occupancy: float | None
    """Of the replica that was asked: requests at work over those it works on at once."""
    replicas: tuple[int, int]
    """Least and most."""
    running: int
    """Replicas that answer now."""
    on_nodes: dict[str, int]
    """Running replicas by node."""
    accelerator: str | None
    num_cpus: float
    num_gpus: float
    message: str = ""


class PoolStatus(BaseModel):
    """Everything about a running pool."""

    model_config = ConfigDict(frozen=True)

    revision: int
    outcome: str
    message: str
    nodes: tuple[NodeState, ...]
    deployments: tuple[EngineStatus, ...]


def inspect_pool(settings: Settings) -> PoolStatus:
    """The running pool.

    Raises:
        PoolError: no pool runs here.
    """
    spec = running_spec(settings)
    state = read_state(settings.run_dir / "pool.json")
    if state is None:
        state = PoolState(revision=0, outcome="starting", written=0)
    by_model = {one.model: one for one in state.deployments}
    return PoolStatus(
        revision=state.revision,
        outcome=state.outcome,
        message=state.message,
        nodes=state.nodes,
        deployments=tuple(_engine(spec, one, by_model.get(one.model)) for one in spec.deployments),
    )


def _engine(spec: PoolSpec, one: DeploymentSpec, state: DeploymentState | None) -> EngineStatus:
    url = f"http://127.0.0.1:{spec.http_port}/{one.model}"
    load = {} if one.drained else _load(f"{url}/load")
    at_work = load.get("running")
    on_nodes: dict[str, int] = {}
    for replica in state.replicas if state else ():
        if replica.phase == "RUNNING":
            on_nodes[replica.node] = on_nodes.get(replica.node, 0) + 1
    return EngineStatus(
        model=one.model,
        engine=one.engine,
        url=f"{url}/v1",
        version=state.version if state else one.version,
        phase=state.phase if state else "starting",
        healthy=not one.drained and answers(f"{url}/health", 5.0),
        ongoing=load.get("ongoing"),
        waiting=load.get("waiting"),
        limit=one.max_ongoing_requests,
        queue_limit=one.max_queued_requests,
        occupancy=None if at_work is None else round(at_work / one.max_ongoing_requests, 3),
        replicas=(one.min_replicas, one.max_replicas),
        running=state.running if state else 0,
        on_nodes=on_nodes,
        accelerator=one.accelerator,
        num_cpus=one.num_cpus,
        num_gpus=one.num_gpus,
        message=state.message if state else "",
    )


def _load(url: str) -> dict[str, int]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=5) as answer:
            found = json.loads(answer.read())
            return {name: int(found[name]) for name in ("ongoing", "running", "waiting")}
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError, KeyError):
        return {}
