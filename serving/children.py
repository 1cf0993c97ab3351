"""The processes of a stack, as data: what to start, when it is ready, how long it may take to stop.

Knows commands and addresses; the supervisor knows how to run them.
"""

import hashlib
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from zhengwu.models.catalogue import load_catalogue
from zhengwu.models.weights.folder import locate
from zhengwu.serving.adapters import check_adapters
from zhengwu.serving.ports import Port
from zhengwu.serving.profile import load_profile
from zhengwu.serving.spec import PoolSpec, available_cpus, check_placement
from zhengwu.settings import Settings


@dataclass(frozen=True)
class Child:
    """One process of the stack. Children start together and stop in the order of the table."""

    name: str
    argv: tuple[str, ...]
    ready_urls: tuple[str, ...] = ()
    """All must answer 200; none means ready as soon as it runs."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    start_s: float = 120.0
    grace_s: float = 5.0
    nice: int = 0
    orphaned: int = signal.SIGKILL
    """What the kernel sends it when the supervisor dies."""
    fatal_status: int | None = None
    """An exit status that no restart would cure."""


def pool_spec(settings: Settings) -> PoolSpec:
    """What the pool of these settings runs, checked against this machine.

    Raises:
        SpecError: the profile is wrong.
        PlacementError: the machine is too small; names the numbers.
        WeightsMissing: names the command that fetches them.
    """
    catalogue = load_catalogue(own=settings.catalogue_dir)
    spec = PoolSpec(
        deployments=load_profile(settings, lambda name: locate(catalogue.get(name), settings)),
        http_port=settings.pool_port,
        ray_port=settings.ray_port,
        num_cpus=available_cpus(),
        num_gpus=count_gpus(),
        host=settings.pool_host,
        nodes=settings.pool_nodes,
        temp_dir=ray_folder(settings.home),
    )
    if spec.nodes == 1:
        check_placement(spec.deployments, spec.num_cpus, spec.num_gpus)
    check_adapters(spec.deployments, catalogue)
    return spec


def ray_folder(home: Path) -> Path:
    """A short folder for Ray's sockets (AF_UNIX paths end at 107 bytes), one per home."""
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:8]
    return Path(tempfile.gettempdir() if len(tempfile.gettempdir()) < 16 else "/tmp") / (
        f"zhengwu-{os.getuid()}-{digest}"
    )


def count_gpus() -> int:
    """NVIDIA devices of this machine; Ray counts again what it may use of them."""
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


def gateway_url(settings: Settings) -> str:
    """The address at which this machine reaches its gateway."""
    return f"http://{_reachable(settings.gateway_host)}:{settings.gateway_port}"


def stack_children(settings: Settings, spec: PoolSpec, spec_file: Path) -> tuple[Child, ...]:
    """The children of `zhengwu up`, in the order they stop."""
    gateway = gateway_url(settings)
    pool = f"http://127.0.0.1:{spec.http_port}"
    zhengwu = (sys.executable, "-m", "zhengwu.cli.app")
    return (
        Child("gateway", (*zhengwu, "gateway"), (f"{gateway}/readyz",), start_s=180),
        Child("worker", (*zhengwu, "worker"), grace_s=5, nice=10),
        Child(
            "pool",
            (sys.executable, "-m", "zhengwu.serving.pool", "--spec", str(spec_file)),
            tuple(f"{pool}/{one.model}/health" for one in spec.deployments if not one.drained),
            start_s=max(one.start_timeout_s for one in spec.deployments) + 60,
            grace_s=20,
            orphaned=signal.SIGTERM,  # it has Ray's processes to end
            fatal_status=2,
        ),
    )


def stack_ports(settings: Settings) -> tuple[Port, ...]:
    """The ports of `zhengwu up`."""
    return (
        Port(settings.gateway_host, settings.gateway_port, "网关", "ZHENGWU_GATEWAY_PORT"),
        Port("127.0.0.1", settings.pool_port, "模型池", "ZHENGWU_POOL_PORT"),
        Port("127.0.0.1", settings.ray_port, "Ray ", "ZHENGWU_RAY_PORT"),
    )


def environment(settings: Settings) -> dict[str, str]:
    """These settings as the variables that `read_settings` of a child reads."""
    values: dict[str, str] = {}
    for name in type(settings).model_fields:
        value: object = getattr(settings, name)
        if value is not None and not isinstance(value, SecretStr):  # a child inherits those
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            values[f"ZHENGWU_{name.upper()}"] = text
    return values


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
