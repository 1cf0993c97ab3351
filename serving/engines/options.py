"""Ray Serve's options for a deployment, every limit explicit. Knows Serve and no engine."""

from typing import Any

from ray.serve.config import AutoscalingConfig, BackpressureConfig

from zhengwu.serving.spec import DeploymentSpec

SPARE = 16
"""Requests beyond the gate that still reach a replica: health, load, and polite refusals."""


def serve_options(spec: DeploymentSpec) -> dict[str, Any]:
    """Options of the deployment that holds the engine behind our own `Gate`."""
    actor: dict[str, Any] = {"num_cpus": spec.num_cpus, "num_gpus": spec.num_gpus}
    if spec.accelerator_type:
        actor["accelerator_type"] = spec.accelerator_type
    reach = spec.max_ongoing_requests + spec.max_queued_requests + SPARE
    options: dict[str, Any] = {
        "name": spec.model,
        "ray_actor_options": actor,
        # A burst counts as queued at the proxy until it is routed, so the backstop is as wide.
        "max_ongoing_requests": reach,
        "max_queued_requests": reach,
        "backpressure_config": BackpressureConfig(retry_after_s=float(spec.retry_after_s)),
        "health_check_period_s": 5,
        "health_check_timeout_s": 30,
        "graceful_shutdown_timeout_s": 3,
        "graceful_shutdown_wait_loop_s": 0.5,
        "max_constructor_retry_count": 2,
    }
    if spec.max_replicas == spec.min_replicas:
        return {**options, "num_replicas": spec.min_replicas}
    return {**options, "autoscaling_config": autoscaling(spec)}


def autoscaling(spec: DeploymentSpec) -> AutoscalingConfig:
    """When to add and take away replicas. Serve's default target would never act."""
    return AutoscalingConfig(
        min_replicas=spec.min_replicas,
        max_replicas=spec.max_replicas,
        target_ongoing_requests=spec.target_ongoing_requests,
    )
