"""Carries what this folder asks along the governed path."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import orjson
from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.gateway.governed.asked import Asked as GovernedAsked
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.grade import HEADER
from zhengwu.gateway.governed.path import Governed
from zhengwu.gateway.governed.ports import Authenticates
from zhengwu.gateway.governed.sessions import SESSION_HEADER
from zhengwu.gateway.reply import request_id
from zhengwu.gateway.routes.openai import caller_of
from zhengwu.gateway.tenancy.callers import Callers
from zhengwu.gateway.tenancy.changes import Changes
from zhengwu.gateway.wire.asked import Asked, Opened
from zhengwu.gateway.wire.errors import WireError
from zhengwu.models.cards import Kind
from zhengwu.models.egress import PASSED_HEADERS

KINDS: Mapping[str, Kind] = {"embeddings": "embedding", "rerank": "reranker"}
"""The kind of model that a path takes; every other path takes chat models."""


class Asking:
    """A FastAPI dependency: who asks, or a 401."""

    def __init__(self, callers: Authenticates) -> None:
        self._callers = callers

    async def __call__(self, request: Request) -> Asked:
        """Read the headers of `request`."""
        caller = await caller_of(request, self._callers)
        await _plain(request)
        headers = request.headers
        return Asked(
            caller=caller,
            request_id=request_id(request.scope),
            declared=headers.get(HEADER),
            route=str(getattr(request.scope.get("route"), "path", "")),
            session=headers.get(SESSION_HEADER),
            headers={name: headers[name] for name in PASSED_HEADERS if name in headers},
        )


class Carried:
    """Opens requests on the governed path."""

    def __init__(self, governed: Governed) -> None:
        self._governed = governed

    @asynccontextmanager
    async def open(
        self, asked: Asked, path: str, body: bytes, stream: bool
    ) -> AsyncGenerator[Opened]:
        """Open it at the grade of its content, never below `asked.least_grade`."""
        governed = GovernedAsked(
            caller=asked.caller,
            path=path,
            body=body,
            request_id=asked.request_id,
            kind=KINDS.get(path, "chat"),
            route=asked.route,
            declared=asked.declared,
            session=asked.session,
            knowledge=asked.least_grade,
            headers={**asked.headers, "x-request-id": asked.request_id},
        )
        async with self._governed.open(governed) as relayed:
            yield Opened(relayed, relayed.grade)


class KeyOwners:
    """Tells who is behind a key that asked earlier."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._callers = Callers(engine, Changes(engine))

    async def by_id(self, key_id: str) -> Caller:
        """The caller as it is now.

        Raises:
            KeyRefused: the key is gone, revoked or past its date.
        """
        return await self._callers.by_id(key_id)


async def _plain(request: Request) -> None:
    """Refuse JSON that is none by the standard: NaN, half characters. Databases refuse it, too."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return
    try:
        orjson.loads(await request.body() or b"{}")
    except orjson.JSONDecodeError as error:
        raise WireError("请求体不是有效的 JSON，请检查后重试。") from error
