"""vLLM through `ray.serve.llm`: GPUs in production, vLLM's CPU build in tests.

Ray's own ingress is kept for what it does to requests; around it are our gate, our errors, and
health and load, so that every engine looks the same from outside.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from ray import serve
from ray.llm._internal.serve.core.configs.accelerators import CPUConfig
from ray.llm._internal.serve.core.configs.openai_api_models import (
    OpenAIHTTPException,
    to_model_metadata,
)
from ray.serve import Application
from ray.serve.exceptions import BackPressureError
from ray.serve.handle import DeploymentHandle
from ray.serve.llm import LLMConfig, build_llm_deployment
from ray.serve.llm.ingress import OpenAiIngress
from ray.serve.llm.openai_api_models import ChatCompletionRequest, CompletionRequest
from starlette.types import Message, Receive, Scope, Send

from zhengwu.serving.engines.options import SPARE, autoscaling, pinned
from zhengwu.serving.errors import EngineError
from zhengwu.serving.gate import Gate
from zhengwu.serving.spec import DeploymentSpec
from zhengwu.serving.wire import check_model, engine_app, error_response, while_connected

KVCACHE_GB = "cpu_kvcache_gb"
"""The one engine option that is not vLLM's own argument: gigabytes of cache on a CPU."""


def build(spec: DeploymentSpec) -> Application:
    """The engine's deployment, and in front of it one ingress that costs no CPU in Ray's books."""
    config = llm_config(spec)
    reach = spec.max_replicas * (spec.max_ongoing_requests + spec.max_queued_requests) + SPARE
    ingress = serve.deployment(
        name=spec.model,
        num_replicas=1,
        ray_actor_options={"num_cpus": 0},
        max_ongoing_requests=reach,
        max_queued_requests=reach,
    )(serve.ingress()(Ingress))
    bound = ingress.bind(
        {spec.model: pinned(build_llm_deployment(config), spec)},
        {spec.model: to_model_metadata(spec.model, config)},
        spec=spec,
    )
    return pinned(bound, spec)


def llm_config(spec: DeploymentSpec) -> LLMConfig:
    """What `ray.serve.llm` is told, every limit explicit.

    Raises:
        EngineError: the weights are not a folder.
    """
    if spec.weights is None or not spec.weights.is_dir():
        raise EngineError(
            f"模型 {spec.model} 的权重目录 {spec.weights} 不存在，"
            f"请运行 zhengwu models pull {spec.model}。"
        )
    options = dict(spec.engine_options)
    cache = options.pop(KVCACHE_GB, None)
    environment = dict(spec.environment)
    if cache:
        environment["VLLM_CPU_KVCACHE_SPACE"] = str(cache)
    bundles = [{k: v for k, v in bundle.items() if v} for bundle in spec.bundles]
    return LLMConfig(
        model_loading_config={"model_id": spec.model, "model_source": str(spec.weights)},
        engine_kwargs={
            "max_model_len": spec.context_tokens,
            "max_num_seqs": spec.max_ongoing_requests,
            "tensor_parallel_size": spec.tensor_parallel,
            "pipeline_parallel_size": spec.pipeline_parallel,
            "trust_remote_code": False,
            **_lora(spec),
            **options,
        },
        accelerator_type=spec.accelerator_type,
        accelerator_config=None if spec.needs("GPU") else CPUConfig(),
        placement_group_config={"bundles": bundles, "strategy": spec.placement_strategy},
        deployment_config=_replicas(spec),
        runtime_env={"env_vars": environment} if environment else None,
        # The default, 50 ms, is what a citizen would wait before the first word.
        experimental_configs={"stream_batching_interval_ms": 0},
        log_engine_metrics=False,
    )


def _lora(spec: DeploymentSpec) -> dict[str, Any]:
    """Adapters in local folders, loaded at start as by vLLM's own `--lora-modules`.

    `ray.serve.llm`'s `lora_config` only takes object stores, so it is not used.
    """
    if not spec.adapters:
        return {}
    named = zip(spec.adapter_names, spec.adapters, strict=True)
    return {
        "enable_lora": True,
        "max_loras": len(spec.adapters),
        "max_lora_rank": int(cast(int, spec.engine_options.get("max_lora_rank", 64))),
        "lora_modules": [
            {"name": name, "path": str(one.path), "base_model_name": spec.model}
            for name, one in named
        ],
    }


def _replicas(spec: DeploymentSpec) -> dict[str, Any]:
    limits: dict[str, Any] = {
        "max_ongoing_requests": spec.max_ongoing_requests,
        "max_queued_requests": spec.max_replicas * spec.max_ongoing_requests + SPARE,
        "health_check_period_s": 5,
        "health_check_timeout_s": 60,
        "graceful_shutdown_timeout_s": spec.drain_timeout_s,
        "ray_actor_options": {"num_cpus": 0},  # the bundles are the whole reservation
    }
    if spec.max_replicas == spec.min_replicas:
        # `ray.serve.llm` fills in an autoscaling target of 1e9 where none is given.
        fixed = spec.min_replicas
        same = autoscaling(spec).model_copy(update={"min_replicas": fixed, "max_replicas": fixed})
        return {**limits, "autoscaling_config": same}
    return {**limits, "autoscaling_config": autoscaling(spec)}


class Ingress(OpenAiIngress):
    """Ray's ingress behind our gate."""

    def __init__(
        self,
        llm_deployments: dict[str, DeploymentHandle[Any]],
        model_cards: Mapping[str, Any],
        *,
        spec: DeploymentSpec,
    ) -> None:
        """One model behind this ingress."""
        super().__init__(llm_deployments, dict(model_cards))
        self._spec = spec
        self._engine = llm_deployments[spec.model]
        replicas = spec.max_replicas
        self._gate = Gate(
            replicas * spec.max_ongoing_requests,
            replicas * spec.max_queued_requests,
            spec.retry_after_s,
        )

    def __serve_build_asgi_app__(self) -> FastAPI:
        """The routes; Ray Serve asks for them after the constructor."""
        spec = self._spec
        app = engine_app(spec.model, self._gate, self.alive, spec.adapter_names)
        app.post("/v1/chat/completions")(self.chat_held)
        app.post("/v1/completions")(self.completions_held)
        app.add_exception_handler(OpenAIHTTPException, _on_engine_error)
        app.add_exception_handler(RequestValidationError, _on_bad_request)
        app.add_exception_handler(BackPressureError, self._on_full)
        return app

    async def chat_held(self, body: ChatCompletionRequest, request: Request) -> Response:
        """Chat, once there is a place."""
        check_model(body.model, self._spec.model, self._spec.adapter_names)
        return Held(self._gate, partial(self.chat, body, request))

    async def completions_held(self, body: CompletionRequest, request: Request) -> Response:
        """Completion, once there is a place."""
        check_model(body.model, self._spec.model, self._spec.adapter_names)
        return Held(self._gate, partial(self.completions, body, request))

    def _get_configured_serve_handle(self, model_id: str) -> DeploymentHandle[Any]:
        # Ray would have the replica download an adapter; ours are all loaded in every replica.
        return super()._get_configured_serve_handle(self._spec.model)

    async def alive(self) -> None:
        """Ask the engine itself.

        Raises:
            EngineError: it does not answer.
        """
        try:
            await self._engine.check_health.remote()
        except RuntimeError as error:
            raise EngineError(f"vLLM 没有应答：{error}。") from error

    async def _on_full(self, request: Request, error: Exception) -> Response:
        response = error_response("模型正忙，请稍后重试。", 503, "queue_full")
        response.headers["Retry-After"] = str(self._spec.retry_after_s)
        return response


class Held(Response):
    """A response that holds a place at the gate from its first to its last byte."""

    def __init__(self, gate: Gate, make: Callable[[], Awaitable[Response]]) -> None:
        """`make` is called once there is a place."""
        super().__init__()
        self._gate, self._make = gate, make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; stop when the client leaves."""
        await while_connected(Request(scope, receive), self._work(scope, send))

    async def _work(self, scope: Scope, send: Send) -> None:
        async with self._gate.enter():
            response = await self._make()
            await response(scope, _never, send)


async def _never() -> Message:
    # `while_connected` is the one that listens for the client.
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def _on_engine_error(request: Request, error: Exception) -> Response:
    said = cast(OpenAIHTTPException, error)
    too_long = "maximum context length" in said.message or "max_model_len" in said.message
    code = "context_length_exceeded" if too_long else "invalid_request"
    return error_response(f"模型没有接受请求：{said.message}", int(said.status_code), code)


async def _on_bad_request(request: Request, error: Exception) -> Response:
    first = cast(RequestValidationError, error).errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return error_response(f"字段 {where} 有误：{first['msg']}。", 400, "invalid_request")
