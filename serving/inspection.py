"""Look at a running pool from outside, and hand it a changed profile.

Knows the state file and the engines' `/health` and `/load`; the pool does the work itself.
"""

import http.client
import json
import os
import signal
import time
import urllib.error
import urllib.request

from pydantic import BaseModel, ConfigDict, ValidationError

from zhengwu.serving.children import pool_spec
from zhengwu.serving.errors import PoolError
from zhengwu.serving.keeper import answers
from zhengwu.serving.spec import PoolSpec
from zhengwu.serving.stack import status
from zhengwu.settings import Settings


class EngineStatus(BaseModel):
    """One deployment, as its engine answers just now."""

    model_config = ConfigDict(frozen=True)

    model: str
    engine: str
    url: str
    healthy: bool
    ongoing: int | None
    """Requests at work and in line, of the replica that was asked; None when it did not answer."""
    limit: int
    replicas: tuple[int, int]
    """Least and most."""
    num_cpus: float
    num_gpus: float


def inspect_pool(settings: Settings) -> tuple[EngineStatus, ...]:
    """Every deployment of the running pool.

    Raises:
        PoolError: no pool runs here.
    """
    spec = _running_spec(settings)
    return tuple(_engine(spec, number) for number in range(len(spec.deployments)))


def redeploy(settings: Settings, timeout_s: float = 600.0) -> tuple[EngineStatus, ...]:
    """Hand the running pool the profile as it reads now; unchanged models go on serving.

    Raises:
        PoolError: no pool runs here, or a model did not come up in time.
        PlacementError: the profile does not fit; the pool stays as it is.
    """
    _running_spec(settings)
    found = status(settings)
    pid = found.state.children["pool"].pid if found.state else None
    if not pid:
        raise PoolError("模型池正在重启，请稍后再试。")
    spec = pool_spec(settings)
    (settings.run_dir / "pool.json").write_text(spec.model_dump_json(indent=2), encoding="utf-8")
    os.kill(pid, signal.SIGHUP)
    deadline = time.monotonic() + timeout_s
    engines = inspect_pool(settings)
    while not all(one.healthy for one in engines):
        if time.monotonic() > deadline:
            late = "、".join(one.model for one in engines if not one.healthy)
            raise PoolError(f"{late} 没有就绪，请查看 {settings.log_dir / 'pool.log'}。")
        time.sleep(1)
        engines = inspect_pool(settings)
    return engines


def _running_spec(settings: Settings) -> PoolSpec:
    if not status(settings).running:
        raise PoolError("没有正在运行的模型池。用 zhengwu up 启动。")
    try:
        return PoolSpec.model_validate_json((settings.run_dir / "pool.json").read_bytes())
    except (FileNotFoundError, ValidationError) as error:
        raise PoolError(f"无法读取 {settings.run_dir / 'pool.json'}：{error}。") from error


def _engine(spec: PoolSpec, number: int) -> EngineStatus:
    one = spec.deployments[number]
    url = f"http://127.0.0.1:{spec.http_port}/{one.model}"
    return EngineStatus(
        model=one.model,
        engine=one.engine,
        url=f"{url}/v1",
        healthy=answers(f"{url}/health", 5.0),
        ongoing=_ongoing(f"{url}/load"),
        limit=one.max_ongoing_requests,
        replicas=(one.min_replicas, one.max_replicas),
        num_cpus=one.num_cpus,
        num_gpus=one.num_gpus,
    )


def _ongoing(url: str) -> int | None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=5) as answer:
            return int(json.loads(answer.read())["ongoing"])
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError, KeyError):
        return None
