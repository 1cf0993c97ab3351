"""Whether deployments find a place on the nodes that are there, and what is missing if not.

Knows resources by name and number, as Ray keeps them; knows no device and starts nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zhengwu.serving.errors import PlacementError
from zhengwu.serving.spec import DeploymentSpec

ROUNDING = 1e-6


@dataclass(frozen=True)
class NodeRoom:
    """What a node has for bundles."""

    name: str
    resources: Mapping[str, float]


@dataclass(frozen=True)
class _Wanted:
    """One replica's bundles that have to find a place, together or apart."""

    spec: DeploymentSpec
    groups: tuple[Mapping[str, float], ...]


def check_nodes(specs: Sequence[DeploymentSpec], nodes: Sequence[NodeRoom]) -> None:
    """Refuse what no arrangement on `nodes` carries, largest replicas first.

    Raises:
        PlacementError: names the model, the bundle, what each node has left, and a remedy.
    """
    left = {node.name: dict(node.resources) for node in nodes}
    wanted = [_wanted(spec) for spec in specs for _ in range(spec.replicas_reserved)]
    for replica in sorted(wanted, key=_size, reverse=True):
        for bundle in replica.groups:
            if not _place(bundle, replica.spec, left, nodes):
                raise _missing(replica.spec, bundle, left, nodes)


def _wanted(spec: DeploymentSpec) -> _Wanted:
    bundles = tuple({k: v for k, v in bundle.items() if v} for bundle in spec.bundles)
    if spec.placement_strategy == "STRICT_PACK":
        return _Wanted(spec, (_sum(bundles),))
    return _Wanted(spec, bundles)


def _size(replica: _Wanted) -> float:
    return max((sum(bundle.values()) for bundle in replica.groups), default=0.0)


def _sum(bundles: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    total: dict[str, float] = {}
    for bundle in bundles:
        for name, amount in bundle.items():
            total[name] = total.get(name, 0.0) + amount
    return total


def _place(
    bundle: Mapping[str, float],
    spec: DeploymentSpec,
    left: dict[str, dict[str, float]],
    nodes: Sequence[NodeRoom],
) -> bool:
    for node in nodes:
        room = left[node.name]
        fits = all(room.get(name, 0.0) + ROUNDING >= amount for name, amount in bundle.items())
        whole = all(bundle.get(n, 0.0) == node.resources.get(n, 0.0) for n in spec.whole_node)
        if fits and whole:
            for name, amount in bundle.items():
                room[name] -= amount
            return True
    return False


def _missing(
    spec: DeploymentSpec,
    bundle: Mapping[str, float],
    left: Mapping[str, Mapping[str, float]],
    nodes: Sequence[NodeRoom],
) -> PlacementError:
    have = "；".join(f"{node.name} 余 {_show(left[node.name], bundle)}" for node in nodes)
    short = [
        f"{name} {amount:g}"
        for name, amount in bundle.items()
        if all(room.get(name, 0.0) + ROUNDING < amount for room in left.values())
    ]
    why = f"没有节点有 {'、'.join(short)}" if short else "没有一个节点同时有这些资源"
    if spec.whole_node and not short:
        names = "、".join(spec.whole_node)
        why = f"一个副本须用满一个节点的 {names}，数量要与节点的相等"
    return PlacementError(
        f"模型 {spec.model} 的每个副本需要 {_show(bundle, bundle)}，{why}（{have or '没有节点'}）。"
        "请加入有这些资源的节点（zhengwu pool join），或减少副本数、并行数。"
    )


def _show(resources: Mapping[str, float], names: Mapping[str, float]) -> str:
    return "、".join(f"{name} {resources.get(name, 0.0):g}" for name in names)
