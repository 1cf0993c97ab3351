"""Bring applications up on a running Ray: all at once, each told of as soon as it is healthy.

Knows Ray Serve; knows nothing of processes, signals or files.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zhengwu.serving.errors import PoolError
from zhengwu.serving.spec import DeploymentSpec, PoolSpec, check_placement

if TYPE_CHECKING:
    from ray.serve.schema import ServeStatus

Healthy = Callable[[str, float], None]
"""Told the model and the seconds it took."""


def roll_out(spec: PoolSpec, on_healthy: Healthy) -> None:
    """Start Ray Serve and every application.

    Raises:
        PoolError: one failed, or was not up in its time; the message carries Serve's own.
    """
    from ray import serve
    from ray.serve.config import HTTPOptions, ProxyLocation

    serve.start(
        proxy_location=ProxyLocation.HeadOnly,
        http_options=HTTPOptions(host="127.0.0.1", port=spec.http_port),
    )
    _deploy(spec.deployments, on_healthy)


def roll_over(old: PoolSpec, new: PoolSpec, on_healthy: Healthy) -> None:
    """Go from one spec to another; a deployment that did not change goes on serving.

    Raises:
        PlacementError: the new one does not fit; nothing was changed.
        PoolError: as for `roll_out`.
    """
    from ray import serve

    check_placement(new.deployments, old.num_cpus, old.num_gpus)
    kept = {one.model for one in new.deployments}
    for one in old.deployments:
        if one.model not in kept:
            serve.delete(one.model)
    # Serve would restart the replicas of whatever it is handed, changed or not.
    _deploy([one for one in new.deployments if one not in old.deployments], on_healthy)


def _deploy(specs: Sequence[DeploymentSpec], on_healthy: Healthy) -> None:
    from ray import serve
    from ray.serve import RunTarget

    from zhengwu.serving.engines import build_application

    if not specs:
        return
    applications = [(build_application(one), one.model) for one in specs]
    serve.run_many(
        [RunTarget(app, name=name, route_prefix=f"/{name}") for app, name in applications],
        wait_for_ingress_deployment_creation=False,
        wait_for_applications_running=False,
    )
    _wait_until_healthy(specs, on_healthy)


def _wait_until_healthy(specs: Sequence[DeploymentSpec], on_healthy: Healthy) -> None:
    from ray import serve

    start = time.monotonic()
    pending = {one.model: one.start_timeout_s for one in specs}
    while pending:
        status = serve.status()
        seconds = time.monotonic() - start
        for name in tuple(pending):
            state = status.applications[name].status if name in status.applications else None
            if state == "RUNNING":
                del pending[name]
                on_healthy(name, seconds)
            elif state in ("DEPLOY_FAILED", "UNHEALTHY"):
                raise PoolError(f"模型 {name} 没有启动：{_why(status, name)}")
            elif seconds > pending[name]:
                raise PoolError(f"模型 {name} 在 {seconds:.0f} 秒内没有就绪：{_why(status, name)}")
        time.sleep(0.2)


def _why(status: "ServeStatus", name: str) -> str:
    if name not in status.applications:
        return "Ray Serve 没有接到部署。"
    application = status.applications[name]
    said = [application.message, *(d.message for d in application.deployments.values())]
    return "\n".join(text for text in said if text)[-3000:]
