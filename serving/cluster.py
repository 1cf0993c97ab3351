"""The nodes and replicas of a running Ray, as values; and leaving a node.

Knows Ray and Ray Serve; knows nothing of specs, files or signals.
"""

import time
from collections.abc import Mapping
from enum import Enum
from importlib import import_module
from typing import Any, cast

from zhengwu.serving.errors import PoolError
from zhengwu.serving.placement import NodeRoom
from zhengwu.serving.pool_state import NodeState, ReplicaState

HEAD = "head"
HEAD_MARK = "node:__internal_head__"
DRAIN_S = 3600
NOT_TOLD = ("node:", "memory", "object_store_memory", "accelerator_type:")


def nodes(drained: tuple[str, ...] = ()) -> tuple[NodeState, ...]:
    """Every node that is there; of those that are gone, the last of each name."""
    import ray

    free = cast(Mapping[str, Mapping[str, float]], _free_by_node())
    found: dict[str, NodeState] = {}
    rows = cast(list[dict[str, Any]], ray.nodes())
    for row in sorted(rows, key=lambda row: bool(row["Alive"])):
        name, node_id = str(row["NodeName"]), str(row["NodeID"])
        resources = cast(Mapping[str, float], row["Resources"])
        found[name] = NodeState(
            name=name,
            node_id=node_id,
            alive=bool(row["Alive"]),
            drained=name in drained,
            head=name == HEAD or HEAD_MARK in resources,
            resources=_told(resources),
            free=_told(free.get(node_id, {})),
        )
    return tuple(sorted(found.values(), key=lambda node: (not node.head, node.name)))


def rooms(found: tuple[NodeState, ...]) -> tuple[NodeRoom, ...]:
    """What the nodes that take replicas have in all."""
    return tuple(NodeRoom(n.name, n.resources) for n in found if n.alive and not n.drained)


def wait_for_nodes(number: int, seconds: float) -> None:
    """Until `number` nodes are there.

    Raises:
        PoolError: fewer came in time.
    """
    deadline = time.monotonic() + seconds
    while (there := sum(node.alive for node in nodes())) < number:
        if time.monotonic() > deadline:
            raise PoolError(
                f"{seconds:.0f} 秒内只有 {there} 个节点，配置要求 {number} 个。"
                "请在其余节点上运行 zhengwu pool join。"
            )
        time.sleep(0.5)


def leave(node: NodeState, why: str) -> None:
    """Have every replica leave `node`: Serve brings up others first, then Ray ends the node.

    Raises:
        PoolError: Ray refused.
    """
    import ray

    # Both are compiled or generated and carry no types; `ray drain-node` uses the same.
    raylet: Any = import_module("ray._raylet")
    reasons: Any = import_module("ray.core.generated.autoscaler_pb2").DrainNodeReason
    client = raylet.GcsClient(address=ray.get_runtime_context().gcs_address)
    reason = reasons.Value("DRAIN_NODE_REASON_PREEMPTION")
    deadline = int(time.time() + DRAIN_S) * 1000
    accepted, message = client.drain_node(node.node_id, reason, why, deadline)
    if not accepted:
        raise PoolError(f"节点 {node.name} 不能腾空：{message}。")


def replicas(found: tuple[NodeState, ...]) -> Mapping[str, tuple[ReplicaState, ...]]:
    """The replicas of every application, by its name."""
    names = {node.node_id: node.name for node in found}
    client: Any = cast(Any, import_module("ray.serve.context"))._get_global_client()
    details = cast(dict[str, Any], client.get_serve_details())
    return {
        name: tuple(
            ReplicaState(
                node=names.get(str(one.get("node_id")), "—"),  # none before it has a place
                phase=cast(Enum, one["state"]).value,
            )
            for deployment in application["deployments"].values()
            for one in deployment["replicas"]
        )
        for name, application in details["applications"].items()
    }


def _free_by_node() -> object:
    from ray._private.state import available_resources_per_node

    return available_resources_per_node()


def _told(resources: Mapping[str, float]) -> dict[str, float]:
    return {k: v for k, v in resources.items() if not k.startswith(NOT_TOLD) and "_group_" not in k}
