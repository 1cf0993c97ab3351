"""Embeddings in a Ray Serve replica: `/v1/embeddings` with OpenAI's fields and `input_type`.

Passages are worked off in small slices, one at a time, and questions beside them, so that a
citizen's question never waits behind an ingestion.
"""

import asyncio
import base64
from typing import Any, Literal, cast

import numpy as np
import orjson
from fastapi import FastAPI, Request, Response
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ray.serve import Application

from zhengwu.serving.engines.embedders import Embedder, open_embedder
from zhengwu.serving.engines.options import application
from zhengwu.serving.errors import EngineError, EngineRefused
from zhengwu.serving.gate import Gate
from zhengwu.serving.spec import DeploymentSpec
from zhengwu.serving.wire import engine_app, read_body

MAX_INPUTS = 256
MAX_CHARS = 20_000


class EmbeddingRequest(BaseModel):
    """The body of `/v1/embeddings`."""

    model_config = ConfigDict(extra="ignore")

    input: str | list[str]
    input_type: Literal["query", "passage"] = "passage"
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1)

    @property
    def texts(self) -> list[str]:
        """The inputs as a list."""
        return [self.input] if isinstance(self.input, str) else self.input


def build(spec: DeploymentSpec) -> Application:
    """One replica holds one embedder."""
    return application(Embeddings, spec)


class Embeddings:
    """The replica."""

    def __init__(self, spec: DeploymentSpec) -> None:
        """Load the weights.

        Raises:
            EngineError: the backend is unknown or its weights are missing.
        """
        self._spec = spec
        self._embedder: Embedder = open_embedder(spec)
        self._gate = Gate(spec.max_ongoing_requests, spec.max_queued_requests, spec.retry_after_s)
        self._passages = asyncio.Lock()
        self._queries = asyncio.Lock()

    def __serve_build_asgi_app__(self) -> FastAPI:
        """The replica's routes; Ray Serve asks for them after the constructor."""
        app = engine_app(self._spec.model, self._gate, self.check_health)
        app.post("/v1/embeddings")(self.embeddings)
        return app

    async def check_health(self) -> None:
        """Whether the embedder still computes.

        Raises:
            EngineError: it does not.
        """
        async with self._queries:
            vector = await asyncio.to_thread(self._embedder.embed, ["健康检查"], True)
        if not np.isfinite(vector).all():
            raise EngineError(f"向量模型 {self._spec.model} 的结果不是有限数，需要重启。")

    async def embeddings(self, request: Request) -> Response:
        """Embed every input, in order."""
        _, body = await read_body(request, self._spec.model)
        asked = self._read(body)
        texts = [_clean(text) for text in asked.texts]
        async with self._gate.enter():
            vectors = await self._embed(texts, asked.input_type == "query")
            tokens = await asyncio.to_thread(self._embedder.count_tokens, texts)
        rows = [
            {"object": "embedding", "index": i, "embedding": _encode(v, asked.encoding_format)}
            for i, v in enumerate(vectors)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        answer = {"object": "list", "data": rows, "model": self._spec.model, "usage": usage}
        return Response(orjson.dumps(answer), media_type="application/json")

    def _read(self, body: dict[str, object]) -> EmbeddingRequest:
        try:
            asked = EmbeddingRequest.model_validate(body)
        except ValidationError as error:
            fields = "、".join(sorted({str(e["loc"][0]) for e in error.errors()}))
            raise EngineRefused(f"字段有误：{fields}。input 应是文本或文本列表。") from error
        texts = asked.texts
        if not texts or any(not text.strip() for text in texts):
            raise EngineRefused("input 不能为空。", 400, "empty_input")
        if len(texts) > MAX_INPUTS:
            raise EngineRefused(f"一次最多 {MAX_INPUTS} 条，收到 {len(texts)} 条。", 400, "limit")
        if (longest := max(map(len, texts))) > MAX_CHARS:
            raise EngineRefused(f"每条最多 {MAX_CHARS} 字，收到 {longest} 字。", 400, "limit")
        if asked.dimensions not in (None, self._embedder.dimensions):
            raise EngineRefused(f"此模型只有 {self._embedder.dimensions} 维。", 400, "dimensions")
        return asked

    async def _embed(self, texts: list[str], query: bool) -> NDArray[np.float32]:
        lane = self._queries if query else self._passages
        parts: list[NDArray[np.float32]] = []
        for start in range(0, len(texts), self._embedder.slice):
            part = texts[start : start + self._embedder.slice]
            async with lane:
                parts.append(await asyncio.to_thread(self._embedder.embed, part, query))
        return np.concatenate(parts)


def _clean(text: str) -> str:
    # A NUL would end the text in C; a lone surrogate cannot be encoded.
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def _encode(vector: NDArray[np.float32], kind: str) -> Any:
    if kind == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
    return cast(list[float], vector.tolist())
