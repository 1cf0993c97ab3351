"""llama.cpp (`xllamacpp`) in a Ray Serve replica: chat and completions where there is no GPU.

The engine listens on a free port of 127.0.0.1 behind a random key; the replica relays to it
without holding back a byte, and closing the relay stops the generation.
"""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

import aiohttp
import orjson
import xllamacpp
from fastapi import FastAPI, Request, Response
from ray.serve import Application
from starlette.types import Receive, Scope, Send

from zhengwu.serving.engines.assemble import assemble, events
from zhengwu.serving.engines.options import application
from zhengwu.serving.errors import EngineError, EngineRefused
from zhengwu.serving.gate import Gate
from zhengwu.serving.spec import DeploymentSpec
from zhengwu.serving.wire import engine_app, read_body, while_connected

CONTEXT_OVERFLOW = "exceed_context_size_error"


def build(spec: DeploymentSpec) -> Application:
    """One replica holds one engine with `max_ongoing_requests` slots."""
    return application(LlamaCpp, spec)


Reply = Callable[[aiohttp.ClientResponse, Send], Awaitable[None]]


class Engine(Protocol):
    """What is used of `xllamacpp.Server`; it stops when it is collected."""

    listening_address: str


class LlamaCpp:
    """The replica."""

    def __init__(self, spec: DeploymentSpec) -> None:
        """Load the weights and start the engine.

        Raises:
            EngineError: the weights are missing or are not a model.
        """
        self._spec = spec
        self._key = secrets.token_hex(16)
        self._engine = start_engine(spec, self._key)
        self._gate = Gate(spec.max_ongoing_requests, spec.max_queued_requests, spec.retry_after_s)
        self._session: aiohttp.ClientSession | None = None

    def __serve_build_asgi_app__(self) -> FastAPI:
        """The replica's routes; Ray Serve asks for them after the constructor."""
        spec = self._spec
        app = engine_app(spec.model, self._gate, self.check_health, spec.adapter_names)
        for path in ("/v1/chat/completions", "/v1/completions"):
            app.post(path)(self.relay)
        app.get("/slots")(self.slots)
        return app

    async def slots(self) -> dict[str, int]:
        """What the engine itself says it generates: `busy` of `total` slots."""
        async with self._client().get(f"{self._engine.listening_address}/slots") as answer:
            slots = cast(list[dict[str, Any]], await answer.json())
        return {"busy": sum(bool(slot["is_processing"]) for slot in slots), "total": len(slots)}

    async def relay(self, request: Request) -> Response:
        """Hand the request to the engine as it is."""
        raw, body = await read_body(request, self._spec.model, self._spec.adapter_names)
        if body.get("n", 1) != 1:
            raise EngineRefused("n 只能是 1；请分几次请求。", 400, "unsupported_n")
        body, adapted = adapt(body, self._spec)
        path = request.url.path[request.url.path.index("/v1/") :]
        stream = bool(body.get("stream"))
        if not stream:
            usage = {"stream_options": {"include_usage": True}}
            raw = orjson.dumps({**body, **usage, "stream": True})
        elif adapted:
            raw = orjson.dumps(body)
        url = self._engine.listening_address + path
        return Relay(self._gate, self._client(), url, raw, _forward if stream else _answer_whole)

    async def check_health(self) -> None:
        """Ray Serve calls this every few seconds, and replaces the replica when it raises.

        Raises:
            EngineError: the engine does not answer.
        """
        url = f"{self._engine.listening_address}/health"
        try:
            async with self._client().get(url, timeout=aiohttp.ClientTimeout(20)) as answer:
                if answer.status == 200:
                    return
                status = str(answer.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise EngineError(f"llama.cpp 没有应答：{error!r}。") from error
        raise EngineError(f"llama.cpp 状态异常：{status}。")

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:  # needs the replica's running loop, so not in the constructor
            self._session = aiohttp.ClientSession(
                headers={"Authorization": f"Bearer {self._key}"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
                connector=aiohttp.TCPConnector(limit=0),
                read_bufsize=2**20,  # a line with many log-probabilities is long
            )
        return self._session


class Relay(Response):
    """A response that holds a place at the gate from its first to its last byte."""

    def __init__(
        self, gate: Gate, client: aiohttp.ClientSession, url: str, raw: bytes, reply: Reply
    ) -> None:
        """Relay `raw` to `url` once there is a place; `reply` hands the answer back."""
        super().__init__()
        self._gate, self._client, self._url, self._raw = gate, client, url, raw
        self._reply = reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream the engine's answer; stop the engine when the client leaves."""
        await while_connected(Request(scope, receive), self._work(send))

    async def _work(self, send: Send) -> None:
        headers = {"Content-Type": "application/json"}
        async with self._gate.enter():
            try:
                async with self._client.post(self._url, data=self._raw, headers=headers) as answer:
                    if answer.status != 200:
                        raise _refusal(answer.status, await answer.read())
                    await self._reply(answer, send)
            except aiohttp.ClientError as error:
                raise EngineError(f"llama.cpp 在回答中断开：{error!r}。请重试。") from error


async def _forward(answer: aiohttp.ClientResponse, send: Send) -> None:
    kind = answer.headers.get("Content-Type", "application/json").encode()
    headers = [(b"content-type", kind), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async for chunk in answer.content.iter_any():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _answer_whole(answer: aiohttp.ClientResponse, send: Send) -> None:
    body = orjson.dumps(await assemble(events(answer.content)))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def adapt(body: dict[str, object], spec: DeploymentSpec) -> tuple[dict[str, object], bool]:
    """The body as the engine takes it, and whether it is another one than the client's.

    The name alone chooses an adapter: a client that could send llama.cpp's own `lora` could use
    another department's.

    Raises:
        EngineRefused: the client sent `lora`.
    """
    if "lora" in body:
        raise EngineRefused(
            "不接受 lora 字段；请用“模型:适配器”的名字选择适配器。", 400, "invalid_request"
        )
    if not spec.adapters:
        return body, False
    chosen = [
        {"id": number, "scale": one.scale if name == body.get("model") else 0.0}
        for number, (name, one) in enumerate(zip(spec.adapter_names, spec.adapters, strict=True))
    ]
    return {**body, "lora": chosen}, True


def _refusal(status: int, raw: bytes) -> EngineRefused:
    try:
        error = cast(dict[str, Any], orjson.loads(raw)["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        error = {"message": raw.decode("utf-8", "replace")[:500]}
    if error.get("type") == CONTEXT_OVERFLOW:
        return EngineRefused(
            f"内容有 {error.get('n_prompt_tokens')} 个词元，超过模型上限 {error.get('n_ctx')}。"
            "请缩短问题或减少资料。",
            400,
            "context_length_exceeded",
        )
    return EngineRefused(f"模型没有接受请求：{error.get('message')}", status, "invalid_request")


def start_engine(spec: DeploymentSpec, key: str) -> Engine:
    """Start llama.cpp on a free port.

    Raises:
        EngineError: the weights are missing or are not a model.
    """
    if spec.weights is None or not spec.weights.is_file():
        raise EngineError(
            f"模型 {spec.model} 的权重文件 {spec.weights} 不存在，"
            f"请运行 zhengwu models pull {spec.model}。"
        )
    options = spec.engine_options
    library = cast(Any, xllamacpp)  # compiled, without types
    params = library.CommonParams()
    params.model.path = str(spec.weights)
    params.model_alias = {spec.model}
    params.hostnames, params.port, params.api_keys = ["127.0.0.1"], 0, [key]
    params.ui = False
    params.n_parallel = spec.max_ongoing_requests
    params.n_ctx = spec.context_tokens * spec.max_ongoing_requests
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = spec.thread_count
    # A cancelled prompt stops between batches, so a batch is also the longest wait.
    params.n_batch = params.n_ubatch = int(cast(int, options.get("batch", 128)))
    params.cache_prompt = True
    params.cache_ram_mib = int(cast(int, options.get("prompt_cache_mb", 512)))
    params.lora_adapters = [library.CommonAdapterLoraInfo(path, 0.0) for path in _adapters(spec)]
    params.lora_init_without_apply = True  # each request says which
    params.n_gpu_layers = int(cast(int, options.get("gpu_layers", -1 if spec.num_gpus else 0)))
    params.verbosity = int(cast(int, options.get("verbosity", 1)))
    try:
        return cast(Engine, library.Server(params))
    except RuntimeError as error:
        raise EngineError(
            f"llama.cpp 不能载入 {spec.weights}：{error}。请运行 zhengwu models verify。"
        ) from error


def _adapters(spec: DeploymentSpec) -> list[str]:
    for one in spec.adapters:
        if not one.path.is_file():
            raise EngineError(
                f"模型 {spec.model} 的适配器 {one.name} 的文件 {one.path} 不存在，"
                f"请运行 zhengwu models pull {one.name}。"
            )
    return [str(one.path) for one in spec.adapters]
