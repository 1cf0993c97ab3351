"""`/v1`: the OpenAI wire. Bodies take the governed path as they came; no route looks into one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from zhengwu.gateway.answer import GovernedAnswer
from zhengwu.gateway.assistants.definition import PREFIX
from zhengwu.gateway.assistants.store import Version
from zhengwu.gateway.auth import bearer
from zhengwu.gateway.edge.direct import Endpoint
from zhengwu.gateway.errors import ModelNotAllowed
from zhengwu.gateway.governed.asked import Asked
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.grade import HEADER
from zhengwu.gateway.governed.path import Governed
from zhengwu.gateway.governed.ports import Authenticates
from zhengwu.gateway.governed.sessions import SESSION_HEADER
from zhengwu.gateway.metrics import Metrics
from zhengwu.gateway.reply import note, request_id
from zhengwu.gateway.served import OWNER, ServedModel
from zhengwu.models.cards import Kind
from zhengwu.models.egress import PASSED_HEADERS


class Passed(BaseModel):
    """A body of which the gateway reads only what it must. For the documentation only."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(min_length=1, max_length=200)


class ChatBody(Passed):
    """The body of `POST /v1/chat/completions`."""

    messages: list[dict[str, Any]] = Field(min_length=1)
    stream: bool | None = None


class EmbeddingsBody(Passed):
    """The body of `POST /v1/embeddings`."""

    input: str | list[str] | list[int] | list[list[int]]


@dataclass(frozen=True)
class Post:
    """A path of the wire that goes straight along the governed path."""

    path: str
    kind: Kind
    body: type[Passed]


POSTS = (
    Post("chat/completions", "chat", ChatBody),
    Post("embeddings", "embedding", EmbeddingsBody),
)


def openai_posts(
    governed: Governed, callers: Authenticates, metrics: Metrics
) -> dict[str, Endpoint]:
    """The endpoint of every path in `POSTS`."""

    def endpoint(post: Post) -> Endpoint:
        async def answer(request: Request) -> Response:
            asked = await asked_of(request, callers, post.path, post.kind)
            return GovernedAnswer(governed, asked, metrics)

        return answer

    return {f"/v1/{post.path}": endpoint(post) for post in POSTS}


class Shared(Protocol):
    """Tells which assistants a caller may ask for. `Catalogue` is the real one."""

    async def open_to(self, caller: Caller) -> Sequence[Version]:
        """The newest published version of each."""
        ...


def openai_routes(
    governed: Governed, callers: Authenticates, posts: Mapping[str, Endpoint], shared: Shared
) -> APIRouter:
    """The routes of the OpenAI wire. Every one needs a key."""
    routes = APIRouter(prefix="/v1", tags=["openai"])
    for post in POSTS:
        routes.add_api_route(
            f"/{post.path}",
            posts[f"/v1/{post.path}"],
            methods=["POST"],
            name=post.path,
            response_class=Response,
            openapi_extra=_described(post.body),
        )

    @routes.get("/models")
    async def models(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        caller = await caller_of(request, callers)
        assistants = map(_assistant, await shared.open_to(caller))
        data = [*map(_listed, _seen(caller, governed)), *assistants]
        return _json({"object": "list", "data": data})

    @routes.get("/models/{name}")
    async def model(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        caller = await caller_of(request, callers)
        found = governed.served.get(request.path_params["name"])
        if caller.models is not None and caller.models.isdisjoint({found.name, *found.aliases}):
            raise ModelNotAllowed(f"密钥不可使用模型“{found.name}”，可请管理员开通。")
        return _json(_listed(found))

    return routes


async def caller_of(request: Request, callers: Authenticates) -> Caller:
    """Who asks, from the bearer key.

    Raises:
        KeyRefused: there is none, or it may not be used.
    """
    return await _caller(request, callers, request.headers.get("authorization"))


async def asked_of(
    request: Request, callers: Authenticates, path: str, kind: Kind = "chat"
) -> Asked:
    """The request as the governed path takes it."""
    # One pass over the headers; looking each up in Starlette's view is a pass of its own.
    headers = {name.decode("latin-1"): v.decode("latin-1") for name, v in request.scope["headers"]}
    caller = await _caller(request, callers, headers.get("authorization"))
    passed = {name: headers[name] for name in PASSED_HEADERS if name in headers}
    name = request_id(request.scope)
    return Asked(
        caller=caller,
        path=path,
        body=request.state.body,
        request_id=name,
        kind=kind,
        route=f"/v1/{path}",
        declared=headers.get(HEADER),
        session=headers.get(SESSION_HEADER),
        headers={**passed, "x-request-id": name},
    )


async def _caller(request: Request, callers: Authenticates, given: str | None) -> Caller:
    caller = await callers.caller(bearer(given))
    note(request.scope, key=caller.key_id)
    return caller


def _seen(caller: Caller, governed: Governed) -> Iterable[ServedModel]:
    """The models that `caller` may ask for."""
    for model in governed.served:
        names = {model.name, *model.aliases}
        if caller.models is None or not caller.models.isdisjoint(names):
            yield model


def _listed(model: ServedModel) -> dict[str, Any]:
    return {
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": model.owner,
        "aliases": list(model.aliases),
        "kind": model.kind,
    }


def _assistant(version: Version) -> dict[str, Any]:
    return {
        "id": f"{PREFIX}{version.name}",
        "object": "model",
        "created": int(version.created.timestamp()),
        "owned_by": version.tenant or OWNER,
        "aliases": [version.name, f"{PREFIX}{version.name}@{version.version}"],
        "kind": "assistant",
    }


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


def _described(body: type[BaseModel]) -> dict[str, Any]:
    """What OpenAPI says of a body that the route itself does not read."""
    content = {"application/json": {"schema": body.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
