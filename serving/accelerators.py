"""Accelerators as resource data: `accelerators.yaml`, worked into the fields of a deployment.

Knows Ray's resources and variables by name; knows no device, and asks none.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, cast

import yaml
from pydantic import Field, JsonValue, ValidationError

from zhengwu.serving.errors import PlacementError, SpecError
from zhengwu.serving.spec import Frozen

DATA = "accelerators.yaml"


class Accelerator(Frozen):
    """One kind of device, as Ray and an engine have to be told of it."""

    name: str
    title: str
    resources: dict[str, float] = Field(min_length=1)
    """Of one device."""
    assigned_by: Literal["ray", "node"]
    """Who decides which devices a worker sees."""
    visible: str
    """The variable with the devices a process may see."""
    also_visible: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    engine_options: dict[str, JsonValue] = Field(default_factory=dict)
    parallel: bool = True
    """Whether one model may span several of them."""
    plugin: str | None = None
    source: tuple[str, ...] = Field(min_length=1)
    uncertain: tuple[str, ...] = ()


@cache
def accelerators() -> Mapping[str, Accelerator]:
    """Every accelerator by name.

    Raises:
        SpecError: the file says something wrong.
    """
    try:
        text = (files("zhengwu.serving") / DATA).read_text("utf-8")
        rows = [Accelerator.model_validate(row) for row in yaml.safe_load(text)["accelerators"]]
    except (yaml.YAMLError, ValidationError, KeyError, TypeError) as error:
        raise SpecError(f"{DATA} 有误：{error}。") from error
    return {row.name: row for row in rows}


def placed_on(row: Mapping[str, object]) -> dict[str, object]:
    """A deployment's fields with its `accelerator` worked in; other rows as they are.

    What the row itself says about the engine wins over what the accelerator says.

    Raises:
        SpecError: no such accelerator; names the choices.
        PlacementError: the parallelism cannot be had on it; names what would be right.
    """
    name = row.get("accelerator")
    if name is None:
        return dict(row)
    found = accelerators().get(str(name))
    if found is None:
        raise SpecError(f"没有名为 {name} 的加速卡，可选：{'、'.join(accelerators())}。")
    tensor = int(cast(int, row.get("tensor_parallel", 1)))
    pipeline = int(cast(int, row.get("pipeline_parallel", 1)))
    _check(found, str(row.get("model")), tensor, pipeline)
    cpus = float(cast(float, row.get("num_cpus", 1.0)))
    options = cast(Mapping[str, object], row.get("engine_options", {}))
    environment = cast(Mapping[str, str], row.get("environment", {}))
    return {
        **row,
        "placement_bundles": _bundles(found, tensor * pipeline, cpus),
        "placement_strategy": "STRICT_PACK" if pipeline == 1 else "PACK",
        "whole_node": list(found.resources) if found.assigned_by == "node" else [],
        "engine_options": {**found.engine_options, **options},
        "environment": {**found.environment, **environment},
    }


def _check(found: Accelerator, model: str, tensor: int, pipeline: int) -> None:
    if not found.parallel and tensor * pipeline > 1:
        raise PlacementError(
            f"模型 {model} 要用 {tensor * pipeline} 个 {found.title}，但一个模型不能跨切片。"
            "请把 tensor_parallel、pipeline_parallel 设为 1，或改用整卡。"
        )
    if found.assigned_by == "node" and pipeline > 1:
        raise PlacementError(
            f"模型 {model} 在 {found.title} 上不支持跨节点流水并行。"
            "请把 pipeline_parallel 设为 1，用 tensor_parallel 用满一个节点。"
        )


def _bundles(found: Accelerator, devices: int, cpus: float) -> list[dict[str, float]]:
    """One bundle a device, so that vLLM's workers get one each; or one bundle of a whole node."""
    if found.assigned_by == "node":
        return [{"CPU": cpus, **{k: v * devices for k, v in found.resources.items()}}]
    return [{"CPU": cpus if n == 0 else 1.0, **found.resources} for n in range(devices)]
