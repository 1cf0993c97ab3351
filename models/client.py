"""Ask a chat model, embed texts, or pass bytes through: the clients that other rooms use.

They know the OpenAI wire and a route's name; which upstream answers is the router's business,
and whether the data may leave is the egress guard's.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Literal

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from zhengwu.models.errors import ModelError, UpstreamFailed
from zhengwu.models.sse import read_events
from zhengwu.models.upstream import Call, Reply, Routes
from zhengwu.models.wire import (
    ChatDelta,
    ChatReply,
    ChatRequest,
    error_message,
    parse_delta,
    parse_reply,
)

InputType = Literal["query", "passage"]


class ChatClient:
    """Asks chat models."""

    def __init__(self, routes: Routes) -> None:
        """`routes` opens calls by the name of a route."""
        self._routes = routes

    async def stream(self, request: ChatRequest, grade: int) -> AsyncGenerator[ChatDelta]:
        """Give the answer in pieces. Closing the generator ends the work at the upstream.

        Args:
            request: what to ask; `request.model` names the route.
            grade: the effective data grade of everything in the request.

        Raises:
            EgressRefused: data of this grade may not go to any upstream of the route.
            UpstreamCut: the answer broke off; what came before is not whole.
            UpstreamError: no answer, or an error instead of one.
        """
        call = Call("chat/completions", request.to_json(stream=True), grade, stream=True)
        async with self._routes.open(request.model, call) as reply:
            if reply.status != 200:
                raise _rejected(reply.status, await _body(reply))
            async for event in read_events(reply.chunks()):
                if event.kind == "error":
                    raise UpstreamFailed(
                        f"上游报告错误：{error_message(event.data) or event.data[:300]}"
                    )
                yield parse_delta(event.data)

    async def complete(self, request: ChatRequest, grade: int) -> ChatReply:
        """Return the whole answer. Arguments and errors are those of `stream`."""
        call = Call("chat/completions", request.to_json(stream=False), grade)
        async with self._routes.open(request.model, call) as reply:
            body = await _body(reply)
            if reply.status != 200:
                raise _rejected(reply.status, body)
        return parse_reply(body)

    @asynccontextmanager
    async def forward(
        self,
        path: str,
        body: bytes,
        grade: int,
        stream: bool,
        alias: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Reply]:
        """Pass a client's own request through; the answer's bytes are not touched.

        Args:
            path: after `/v1/`, for instance `chat/completions`.
            body: JSON; its `model` names the route unless `alias` does.
            grade: the effective data grade of everything in the request.
            stream: whether the client asked for a stream.
            alias: the route, when it is not the body's `model`.
            headers: of the client; only those on `egress.PASSED_HEADERS` go further.

        Raises:
            ModelError: the body is not a JSON object or names no model.
            EgressRefused: data of this grade may not go to any upstream of the route.
            UpstreamError: no upstream answered. While reading: `UpstreamCut`.
        """
        call = Call(path.strip("/"), body, grade, stream, headers=dict(headers or {}))
        async with self._routes.open(alias or _model_of(body), call) as reply:
            yield reply


class EmbedClient:
    """Embeds texts."""

    def __init__(self, routes: Routes, model: str = "embed", batch: int = 32) -> None:
        """`batch`: how many texts go in one request."""
        self._routes = routes
        self._model = model
        self._batch = batch

    async def embed(
        self, texts: Sequence[str], input_type: InputType, grade: int
    ) -> NDArray[np.float32]:
        """Return float32 of shape (len(texts), dimensions), each row of length 1.

        Args:
            texts: what to embed; none gives shape (0, 0).
            input_type: a question to search with, or a text to be found.
            grade: the effective data grade of the texts.

        Raises:
            EgressRefused, UpstreamError: as for chat.
            UpstreamFailed: also when rows are missing, uneven, zero or not finite.
        """
        parts: list[NDArray[np.float32]] = []
        for start in range(0, len(texts), self._batch):
            parts.append(await self._some(texts[start : start + self._batch], input_type, grade))
        if len({part.shape[1] for part in parts}) > 1:
            raise UpstreamFailed("向量维数前后不一致，请检查向量模型的各个上游是否为同一模型")
        return np.vstack(parts) if parts else np.zeros((0, 0), dtype=np.float32)

    async def _some(
        self, texts: Sequence[str], input_type: InputType, grade: int
    ) -> NDArray[np.float32]:
        fields = {"model": self._model, "input": list(texts), "input_type": input_type}
        call = Call("embeddings", orjson.dumps({**fields, "encoding_format": "float"}), grade)
        async with self._routes.open(self._model, call) as reply:
            body = await _body(reply)
            if reply.status != 200:
                raise _rejected(reply.status, body)
        return _rows(body, len(texts))


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore")
    index: int
    embedding: list[float]


class _Rows(BaseModel):
    model_config = ConfigDict(extra="ignore")
    data: list[_Row]


def _rows(body: bytes, count: int) -> NDArray[np.float32]:
    try:
        rows = sorted(_Rows.model_validate_json(body).data, key=lambda row: row.index)
    except ValidationError as error:
        raise UpstreamFailed(f"向量服务的回答不符合 OpenAI 接口格式：{error}") from error
    if [row.index for row in rows] != list(range(count)):
        raise UpstreamFailed(f"向量服务应返回 {count} 个向量，实际返回 {len(rows)} 个")
    if len({len(row.embedding) for row in rows}) != 1 or not rows[0].embedding:
        raise UpstreamFailed("向量服务返回的向量长短不一")
    matrix = np.asarray([row.embedding for row in rows], dtype=np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise UpstreamFailed("向量服务返回了零向量或非数值")
    return (matrix / lengths).astype(np.float32)


def _model_of(body: bytes) -> str:
    try:
        fields: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ModelError(f"请求体不是合法的 JSON：{error}") from error
    model: object = fields.get("model") if isinstance(fields, dict) else None
    if not isinstance(model, str) or not model:
        raise ModelError("请求里缺少 model 字段")
    return model


async def _body(reply: Reply) -> bytes:
    return b"".join([block async for block in reply.chunks()])


def _rejected(status: int, body: bytes) -> UpstreamFailed:
    return UpstreamFailed(f"上游拒绝了请求（HTTP {status}）：{error_message(body) or ''}", status)
