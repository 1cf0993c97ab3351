"""Ray Serve's options for a deployment, every limit explicit. Knows Serve and no engine."""

from typing import Any, cast

from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig, BackpressureConfig

from zhengwu.serving.spec import DeploymentSpec

SPARE = 16
"""Requests beyond the gate that still reach a replica: health, load, and polite refusals."""
LOOK_BACK_S = 5.0
"""Over how long load is averaged; the delays of the deployment come on top."""


def application(engine: type, spec: DeploymentSpec) -> Application:
    """One deployment of `engine`, which takes the spec and brings its own routes."""
    deployment = serve.deployment(**serve_options(spec))(serve.ingress()(engine))
    return pinned(deployment.bind(spec), spec)


def serve_options(spec: DeploymentSpec) -> dict[str, Any]:
    """Options of the deployment that holds the engine behind our own `Gate`."""
    reach = spec.max_ongoing_requests + spec.max_queued_requests + SPARE
    return {
        "name": spec.model,
        **_resources(spec),
        # A burst counts as queued at the proxy until it is routed, so the backstop is as wide.
        "max_ongoing_requests": reach,
        "max_queued_requests": reach,
        "backpressure_config": BackpressureConfig(retry_after_s=float(spec.retry_after_s)),
        "health_check_period_s": 5,
        "health_check_timeout_s": 30,
        "graceful_shutdown_timeout_s": spec.drain_timeout_s,
        "graceful_shutdown_wait_loop_s": 0.5,
        "max_constructor_retry_count": 2,
        **replicas(spec),
    }


def pinned(application: Application, spec: DeploymentSpec) -> Application:
    """The same application under a version that follows from the spec alone.

    Serve restarts every replica of a deployment whose version is another one, and makes one up
    where none is given; a change of numbers only must not restart anything.
    """
    cast(Any, application)._bound_deployment._version = spec.code
    return application


def replicas(spec: DeploymentSpec) -> dict[str, Any]:
    """How many: a number, or autoscaling between two."""
    if spec.max_replicas == spec.min_replicas:
        return {"num_replicas": spec.min_replicas}
    return {"autoscaling_config": autoscaling(spec)}


def autoscaling(spec: DeploymentSpec) -> AutoscalingConfig:
    """When to add and take away replicas. Serve's default target would never act."""
    return AutoscalingConfig(
        min_replicas=spec.min_replicas,
        initial_replicas=max(spec.min_replicas, 1),  # a version proves itself before it may sleep
        max_replicas=spec.max_replicas,
        target_ongoing_requests=spec.target_ongoing_requests,
        upscale_delay_s=spec.upscale_delay_s,
        downscale_delay_s=spec.downscale_delay_s,
        downscale_to_zero_delay_s=spec.downscale_delay_s,
        metrics_interval_s=1,
        look_back_period_s=LOOK_BACK_S,
    )


def _resources(spec: DeploymentSpec) -> dict[str, Any]:
    """One bundle is the actor's own; several are a placement group, the actor in the first."""
    first, *more = spec.bundles
    actor: dict[str, Any] = {"num_cpus": first.get("CPU", 0), "num_gpus": first.get("GPU", 0)}
    if custom := {k: v for k, v in first.items() if k not in ("CPU", "GPU") and v}:
        actor["resources"] = custom
    if spec.accelerator_type:
        actor["accelerator_type"] = spec.accelerator_type
    if spec.environment:
        actor["runtime_env"] = {"env_vars": dict(spec.environment)}
    if not more:
        return {"ray_actor_options": actor}
    return {
        "ray_actor_options": actor,
        "placement_group_bundles": [{k: v for k, v in b.items() if v} for b in spec.bundles],
        "placement_group_strategy": spec.placement_strategy,
    }
