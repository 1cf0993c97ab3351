"""`/v1`: the OpenAI wire. Bodies pass through as they came, but for an alias of the model."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response
from starlette.types import Scope

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.auth import KeyCheck, RequireKey
from zhengwu.gateway.errors import body_of, from_error
from zhengwu.gateway.grade import HEADER, grade_of
from zhengwu.gateway.metrics import Metrics
from zhengwu.gateway.reply import note, request_id
from zhengwu.gateway.served import Served, ServedModel
from zhengwu.gateway.stream import EventStream, until_left
from zhengwu.models.errors import UpstreamCut, UpstreamFailed
from zhengwu.models.upstream import Call, Reply, Routes

MAX_ERROR_BYTES = 64 * 1024


class Passed(BaseModel):
    """A body of which the gateway reads only what it must."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(min_length=1, max_length=200)


class ChatBody(Passed):
    """The body of `POST /v1/chat/completions`."""

    messages: list[dict[str, Any]] = Field(min_length=1)
    stream: bool | None = None


class EmbeddingsBody(Passed):
    """The body of `POST /v1/embeddings`."""

    input: str | list[str] | list[int] | list[list[int]]


def openai_routes(served: Served, upstreams: Routes, keys: KeyCheck, metrics: Metrics) -> APIRouter:
    """The routes of the OpenAI wire. Every one needs a key."""
    routes = APIRouter(prefix="/v1", tags=["openai"], dependencies=[Depends(RequireKey(keys))])

    @routes.post("/chat/completions", response_class=Response)
    async def chat(body: ChatBody, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        model = served.get(body.model, "chat").name
        call = await _call("chat/completions", body, model, request, bool(body.stream))
        if body.stream:
            return EventStream(_streamed(upstreams, model, call, request.scope), metrics)
        return await until_left(request.receive, _whole(upstreams, model, call))

    @routes.post("/embeddings", response_class=Response)
    async def embeddings(body: EmbeddingsBody, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        model = served.get(body.model, "embedding").name
        call = await _call("embeddings", body, model, request)
        return await until_left(request.receive, _whole(upstreams, model, call))

    @routes.get("/models")
    async def models() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return {"object": "list", "data": [_listed(model) for model in served]}

    @routes.get("/models/{name}")
    async def model(name: str) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return _listed(served.get(name))

    return routes


async def _call(
    path: str, body: Passed, model: str, request: Request, stream: bool = False
) -> Call:
    raw = await request.body()
    content = body.model_dump(exclude_unset=True)
    grade = grade_of(request.headers.get(HEADER), content)
    note(request.scope, model=model, grade=grade)
    if body.model != model:  # json, not orjson: it can write what a caller may have escaped
        raw = json.dumps({**content, "model": model}).encode()
    return Call(path, raw, grade, stream, headers={"x-request-id": request_id(request.scope)})


async def _whole(upstreams: Routes, model: str, call: Call) -> Response:
    async with upstreams.open(model, call) as reply:
        await _must_be_ok(model, reply)
        body = b"".join([chunk async for chunk in reply.chunks()])
    return Response(body, media_type="application/json")


async def _streamed(
    upstreams: Routes, model: str, call: Call, scope: Scope
) -> AsyncGenerator[bytes]:
    """Whole events of the upstream. One that breaks off half way ends with an error event."""
    began = False
    try:
        async with upstreams.open(model, call) as reply:
            await _must_be_ok(model, reply)
            async for event in _events(model, reply):
                began = True
                yield event
        note(scope, outcome="done")
    except ZhengwuError as error:
        note(scope, outcome="cut", code=error.code)
        if not began:
            raise
        problem = body_of(from_error(error), scope["path"], request_id(scope))
        yield b"data: " + problem + b"\n\n"


async def _events(model: str, reply: Reply) -> AsyncGenerator[bytes]:
    """The reply cut where its events end, so that nothing of ours lands inside one of them."""
    rest, finished = b"", False
    async for chunk in reply.chunks():
        rest += chunk.replace(b"\r\n", b"\n")
        whole, mark, rest = rest.rpartition(b"\n\n")
        if mark:
            finished = finished or b"data: [DONE]" in whole
            yield whole + mark
    if not finished:
        raise UpstreamCut(f"模型“{model}”的回答中途断开，请重试。")


async def _must_be_ok(model: str, reply: Reply) -> None:
    if reply.status < 400:
        return
    body = b""
    async for chunk in reply.chunks():
        body += chunk
        if len(body) > MAX_ERROR_BYTES:
            break
    raise UpstreamFailed(
        f"模型“{model}”的服务返回错误（{reply.status}）：{_told(body)}", reply.status
    )


def _told(body: bytes) -> str:
    """What the upstream said in OpenAI's shape; nothing of any other page is handed on."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    error = said.get("error") if isinstance(said, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message[:500] if isinstance(message, str) else "没有说明原因，请稍后重试"


def _listed(model: ServedModel) -> dict[str, Any]:
    return {
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": model.owner,
        "aliases": list(model.aliases),
        "kind": model.kind,
    }
