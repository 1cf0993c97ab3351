"""The OpenAI wire, as far as every engine shares it: bodies, errors, `/v1/models`, health, load.

Knows HTTP and no engine.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import cast

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from zhengwu.errors import ZhengwuError
from zhengwu.serving.errors import EngineRefused, QueueFull
from zhengwu.serving.gate import Gate
from zhengwu.serving.trace import replica_tracer
from zhengwu.tracing import TraceRequests

MAX_BODY = 8 * 2**20
CLIENT_GONE = 499


def error_body(message: str, status: int, wire_code: str) -> dict[str, object]:
    """An error in OpenAI's shape."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": wire_code}}


def error_response(message: str, status: int, wire_code: str) -> JSONResponse:
    """An error in OpenAI's shape, as a response."""
    return JSONResponse(error_body(message, status, wire_code), status)


def engine_app(
    model: str,
    gate: Gate,
    alive: Callable[[], Awaitable[None]],
    adapters: Sequence[str] = (),
) -> FastAPI:
    """An application with what every engine answers; the engine adds its own routes.

    Args:
        model: the one model this application serves.
        gate: the admission of this replica.
        alive: raises when the engine does not work.
        adapters: what `model` may also be asked for as.
    """
    app = FastAPI(title=model, openapi_url=None, docs_url=None, redoc_url=None)
    started = int(time.time())

    async def models() -> dict[str, object]:
        card = {"id": model, "object": "model", "created": started, "owned_by": "zhengwu"}
        more = [{**card, "id": name, "parent": model} for name in adapters]
        return {"object": "list", "data": [card, *more]}

    async def health() -> dict[str, str]:
        await alive()
        return {"status": "ok"}

    async def load() -> dict[str, int]:
        ongoing = gate.running + gate.waiting
        return {"ongoing": ongoing, "running": gate.running, "waiting": gate.waiting}

    app.get("/v1/models")(models)
    app.get("/health")(health)
    app.get("/load")(load)
    app.add_middleware(TraceRequests, tracer=replica_tracer(model))
    app.add_exception_handler(ZhengwuError, _on_error)
    app.add_exception_handler(404, _on_missing)
    app.add_exception_handler(405, _on_missing)
    return app


async def read_body(
    request: Request, model: str, adapters: Sequence[str] = ()
) -> tuple[bytes, dict[str, object]]:
    """The body of a request to `model` or one of its adapters, raw and read.

    Raises:
        EngineRefused: too large, not JSON, or for another model.
    """
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY:
            raise EngineRefused(f"请求超过 {MAX_BODY // 2**20} MB，请缩短。", 413, "too_large")
    try:
        body: object = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise EngineRefused(f"请求不是有效的 JSON：{error}。", 400, "invalid_json") from error
    if not isinstance(body, dict):
        raise EngineRefused("请求应是一个 JSON 对象。", 400, "invalid_json")
    fields = cast(dict[str, object], body)
    check_model(fields.get("model"), model, adapters)
    return raw, fields


def check_model(asked: object, model: str, adapters: Sequence[str] = ()) -> None:
    """One application serves one model, bare or adapted; a request that names none means it bare.

    Raises:
        EngineRefused: `asked` is another model.
    """
    if asked not in (None, model, *adapters):
        there = "、".join((model, *adapters))
        raise EngineRefused(f"此处没有模型 {asked}，只有 {there}。", 404, "model_not_found")


async def while_connected(request: Request, work: Awaitable[None]) -> bool:
    """Run `work`, and cancel it as soon as the client leaves.

    Returns:
        Whether the work came to its end.
    """
    task = asyncio.ensure_future(work)
    left = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            return False
        await task
        return True
    finally:
        for future in (task, left):
            future.cancel()
        # The upstream connection must be closed before the place at the gate is given back.
        await asyncio.gather(task, left, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _on_error(request: Request, error: Exception) -> Response:
    if isinstance(error, EngineRefused):
        return error_response(str(error), error.status, error.wire_code)
    if isinstance(error, QueueFull):
        response = error_response(str(error), 503, error.code)
        response.headers["Retry-After"] = str(error.retry_after_s)
        return response
    return error_response(str(error), 502, cast(ZhengwuError, error).code)


async def _on_missing(request: Request, error: Exception) -> Response:
    status = cast(int, getattr(error, "status_code", 404))
    headers = cast(Mapping[str, str] | None, getattr(error, "headers", None))
    message = f"没有 {request.method} {request.url.path} 这个接口。"
    return JSONResponse(error_body(message, status, "not_found"), status, headers=headers)
