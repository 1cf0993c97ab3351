"""`/v1`: the OpenAI wire. Bodies pass through as they came, but for an alias of the model."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

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
from zhengwu.models.errors import UpstreamFailed
from zhengwu.models.upstream import Reply
from zhengwu.models.wire import error_message

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


class Forwards(Protocol):
    """Passes a request through to a model's upstream. `ChatClient` is the real one."""

    def forward(
        self,
        path: str,
        body: bytes,
        grade: int,
        stream: bool,
        alias: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AbstractAsyncContextManager[Reply]:
        """Open it; leaving the context ends it at the upstream."""
        ...


def openai_routes(
    served: Served, upstreams: Forwards, keys: KeyCheck, metrics: Metrics
) -> APIRouter:
    """The routes of the OpenAI wire. Every one needs a key."""
    routes = APIRouter(prefix="/v1", tags=["openai"], dependencies=[Depends(RequireKey(keys))])

    @routes.post("/chat/completions", response_class=Response)
    async def chat(body: ChatBody, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        model = served.get(body.model, "chat").name
        passing = await _passing("chat/completions", model, request, body)
        if passing.stream:
            return EventStream(_streamed(upstreams, passing), metrics)
        return await until_left(request.receive, _whole(upstreams, passing))

    @routes.post("/embeddings", response_class=Response)
    async def embeddings(body: EmbeddingsBody, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        model = served.get(body.model, "embedding").name
        passing = await _passing("embeddings", model, request, body)
        return await until_left(request.receive, _whole(upstreams, passing))

    @routes.get("/models")
    async def models() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return {"object": "list", "data": [_listed(model) for model in served]}

    @routes.get("/models/{name}")
    async def model(name: str) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return _listed(served.get(name))

    return routes


@dataclass(frozen=True)
class Passing:
    """One request on its way through."""

    path: str
    model: str
    body: bytes
    grade: int
    stream: bool
    scope: Scope

    def open(self, upstreams: Forwards) -> AbstractAsyncContextManager[Reply]:
        """Open it at the upstream."""
        headers = {"x-request-id": request_id(self.scope)}
        return upstreams.forward(self.path, self.body, self.grade, self.stream, self.model, headers)


async def _passing(path: str, model: str, request: Request, body: Passed) -> Passing:
    grade = grade_of(request.headers.get(HEADER), body.model_dump())
    note(request.scope, model=model, grade=grade)
    stream = isinstance(body, ChatBody) and bool(body.stream)
    return Passing(path, model, await request.body(), grade, stream, request.scope)


async def _whole(upstreams: Forwards, passing: Passing) -> Response:
    async with passing.open(upstreams) as reply:
        await _must_be_ok(passing.model, reply)
        body = b"".join([chunk async for chunk in reply.chunks()])
    return Response(body, media_type="application/json")


async def _streamed(upstreams: Forwards, passing: Passing) -> AsyncGenerator[bytes]:
    """The upstream's events. A stream that breaks off ends with an error event, not silently."""
    began, scope = False, passing.scope
    try:
        async with passing.open(upstreams) as reply:
            await _must_be_ok(passing.model, reply)
            async for events in _whole_events(reply):
                began = True
                yield events
        note(scope, outcome="done")
    except ZhengwuError as error:
        note(scope, outcome="cut", code=error.code)
        if not began:
            raise
        problem = body_of(from_error(error), scope["path"], request_id(scope))
        yield b"data: " + problem + b"\n\n"


async def _whole_events(reply: Reply) -> AsyncGenerator[bytes]:
    """The reply cut where its events end, so that nothing of ours lands inside one of them."""
    rest = b""
    async for chunk in reply.chunks():
        whole, mark, rest = (rest + chunk).replace(b"\r\n", b"\n").rpartition(b"\n\n")
        if mark:
            yield whole + mark
    if rest.strip():
        yield rest + b"\n\n"


async def _must_be_ok(model: str, reply: Reply) -> None:
    if reply.status < 400:
        return
    body = b""
    async for chunk in reply.chunks():
        body += chunk
        if len(body) > MAX_ERROR_BYTES:
            break
    told = (error_message(body) or "没有说明原因，请稍后重试")[:500]
    raise UpstreamFailed(f"模型“{model}”的服务返回错误（{reply.status}）：{told}", reply.status)


def _listed(model: ServedModel) -> dict[str, Any]:
    return {
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": model.owner,
        "aliases": list(model.aliases),
        "kind": model.kind,
    }
