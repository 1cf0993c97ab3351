"""Bring applications up, replace them and take them away, on a running Ray.

A new version stands beside the old one until it is healthy; then the route changes, and the old
one finishes what it has. A version that does not become healthy never gets the route. Knows Ray
Serve; knows nothing of processes, signals or the spec's file.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zhengwu.serving.cluster import nodes, rooms
from zhengwu.serving.errors import PlacementError, PoolError, ServingError
from zhengwu.serving.placement import check_nodes
from zhengwu.serving.pool_state import Refusal
from zhengwu.serving.routes import Route, write_routes
from zhengwu.serving.spec import DeploymentSpec, PoolSpec

if TYPE_CHECKING:
    from ray.serve.schema import ApplicationStatusOverview, ServeStatus

Healthy = Callable[[str, float], None]
"""Told the model and the seconds it took."""

SETTLE_S = 1.0
"""What a request that was routed just now may need to reach its replica."""
ROUND_S = 0.2


def start_serve(spec: PoolSpec) -> None:
    """Start Ray Serve's controller and the proxy of the head."""
    from ray import serve
    from ray.serve.config import HTTPOptions, ProxyLocation

    serve.start(
        proxy_location=ProxyLocation.HeadOnly,
        http_options=HTTPOptions(host="127.0.0.1", port=spec.http_port),
    )


class Rollout:
    """What is in service, and the way from there to what is asked for."""

    def __init__(self, routes: Path, on_healthy: Healthy) -> None:
        """Nothing is in service yet. `routes` is the file that the edge reads."""
        self._routes_file = routes
        self._on_healthy = on_healthy
        self._live: dict[str, DeploymentSpec] = {}
        self._written: dict[str, Route] | None = None

    @property
    def live(self) -> tuple[DeploymentSpec, ...]:
        """The deployments in service, drained ones too."""
        return tuple(self._live.values())

    def start(self, specs: Sequence[DeploymentSpec], drained_nodes: tuple[str, ...] = ()) -> None:
        """Bring everything up at once, each told of as soon as it is healthy.

        Raises:
            PlacementError: there is no room for all of them.
            PoolError: one failed, or was not up in its time; the message carries Serve's own.
        """
        check_nodes(specs, rooms(nodes(drained_nodes)))
        wanted = [one for one in specs if not one.drained]
        self._live = {one.model: one for one in specs}
        _run(wanted)
        self.write_routes()
        _wait_until_healthy(wanted, self._on_healthy)
        self.write_routes()

    def change(
        self, specs: Sequence[DeploymentSpec], drained_nodes: tuple[str, ...] = ()
    ) -> tuple[Refusal, ...]:
        """Go to `specs`, one model after the other; one that fails does not hold up the rest.

        Where `specs` have no room at all, nothing is changed.

        Returns:
            The models that could not follow; what they served before goes on serving.
        """
        fresh = [one for one in specs if one != self._live.get(one.model)]
        try:
            check_nodes(specs, rooms(nodes(drained_nodes)))
        except PlacementError as error:
            said = str(error)
            return tuple(Refusal(model=n.model, version=n.version, message=said) for n in fresh)
        refusals: list[Refusal] = []
        wanted = {one.model for one in specs}
        for model in [model for model in self._live if model not in wanted]:
            self._retire(self._live.pop(model))
        for one in specs:
            old = self._live.get(one.model)
            new = _next_version(old, one)
            if new == old:
                continue
            try:
                self._replace(old, new, drained_nodes)
            except ServingError as error:
                refusals.append(Refusal(model=new.model, version=new.version, message=str(error)))
        return tuple(refusals)

    def write_routes(self) -> None:
        """Tell the edge where requests go now, and who sleeps."""
        from ray import serve

        status = serve.status()
        routes = {one.model: _route(one, status) for one in self._live.values()}
        if routes != self._written:
            write_routes(self._routes_file, routes)
            self._written = routes

    def _replace(
        self, old: DeploymentSpec | None, new: DeploymentSpec, drained_nodes: tuple[str, ...]
    ) -> None:
        if new.drained:
            self._live[new.model] = new
            if old is not None and not old.drained:
                self._retire(old)
            return
        beside = old is not None and not old.drained and old.application != new.application
        self._check_room(old if beside else None, new, drained_nodes)
        _run([new])
        try:
            _wait_until_healthy([new], self._on_healthy)
        except PoolError:
            if old is None or old.drained or beside:
                _delete(new)
            else:
                _run([old])  # only numbers changed: back to those it had
            raise
        self._live[new.model] = new
        if beside and old is not None:
            self._retire(old)
        self.write_routes()

    def _check_room(
        self, beside: DeploymentSpec | None, new: DeploymentSpec, drained_nodes: tuple[str, ...]
    ) -> None:
        others = [one for one in self._live.values() if one.model != new.model]
        there = rooms(nodes(drained_nodes))
        check_nodes([*others, new], there)
        if beside is None:
            return
        try:
            check_nodes([*others, beside, new], there)
        except PlacementError as error:
            raise PlacementError(
                f"替换 {new.model} 时新旧两个版本要同时在线，资源不够：{error}"
                f"也可先用 zhengwu pool drain {new.model} 停下旧版本（其间请求会被拒绝）再部署。"
            ) from error

    def _retire(self, old: DeploymentSpec) -> None:
        """Take the route away, let what is under way finish, and wait until it is gone."""
        self.write_routes()
        time.sleep(SETTLE_S)
        _delete(old)
        _wait_until_gone(old)


def _next_version(old: DeploymentSpec | None, new: DeploymentSpec) -> DeploymentSpec:
    if old is None or old.version != new.version or old.code == new.code:
        return new
    return new.model_copy(update={"version": old.version + 1})


def _route(spec: DeploymentSpec, status: "ServeStatus") -> Route:
    if spec.drained:
        return Route()
    found = status.applications.get(spec.application)
    return Route(
        application=spec.application,
        may_sleep=spec.min_replicas == 0,
        asleep=spec.min_replicas == 0 and found is not None and sleeps(found),
        healthy=found is not None and found.status in ("RUNNING", "DEPLOYING"),
    )


def sleeps(application: "ApplicationStatusOverview") -> bool:
    """Whether a deployment of it has no replica, neither running nor starting."""
    return any(
        not any(number for state, number in one.replica_states.items() if state != "STOPPING")
        for one in application.deployments.values()
    )


def _run(specs: Sequence[DeploymentSpec]) -> None:
    from ray import serve
    from ray.serve import RunTarget

    from zhengwu.serving.engines import build_application

    if not specs:
        return
    serve.run_many(
        [
            RunTarget(build_application(one), name=one.application, route_prefix=_prefix(one))
            for one in specs
        ],
        wait_for_ingress_deployment_creation=False,
        wait_for_applications_running=False,
    )


def _prefix(spec: DeploymentSpec) -> str:
    return f"/{spec.application}"


def _delete(spec: DeploymentSpec) -> None:
    from ray import serve

    serve.delete(spec.application, _blocking=False)


def _wait_until_gone(spec: DeploymentSpec) -> None:
    from ray import serve

    deadline = time.monotonic() + spec.drain_timeout_s + 10
    while spec.application in serve.status().applications and time.monotonic() < deadline:
        time.sleep(ROUND_S)


def _wait_until_healthy(specs: Sequence[DeploymentSpec], on_healthy: Healthy) -> None:
    from ray import serve

    start = time.monotonic()
    pending = {one.application: one for one in specs}
    while pending:
        status = serve.status()
        seconds = time.monotonic() - start
        for name, one in tuple(pending.items()):
            state = status.applications[name].status if name in status.applications else None
            if state == "RUNNING":
                del pending[name]
                on_healthy(one.model, seconds)
            elif state in ("DEPLOY_FAILED", "UNHEALTHY"):
                raise PoolError(f"模型 {one.model} 没有启动：{why(status, name)}")
            elif seconds > one.start_timeout_s:
                said = why(status, name)
                raise PoolError(f"模型 {one.model} 在 {seconds:.0f} 秒内没有就绪：{said}")
        time.sleep(ROUND_S)


def why(status: "ServeStatus", name: str) -> str:
    """What Serve says of an application that is not well."""
    if name not in status.applications:
        return "Ray Serve 没有接到部署。"
    application = status.applications[name]
    said = [application.message, *(d.message for d in application.deployments.values())]
    return "\n".join(text for text in said if text)[-3000:]
