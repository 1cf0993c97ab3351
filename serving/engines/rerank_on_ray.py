"""A cross-encoder in a Ray Serve replica: `/v1/rerank` in Cohere's shape, for a GPU node.

The embedded profile has no such engine: there the chat model's log-probability of 是 reranks.
"""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any, cast

import orjson
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ray.serve import Application

from zhengwu.serving.engines.options import application
from zhengwu.serving.errors import EngineError, EngineRefused
from zhengwu.serving.gate import Gate
from zhengwu.serving.spec import DeploymentSpec
from zhengwu.serving.wire import engine_app, read_body

MAX_DOCUMENTS = 512
MAX_CHARS = 20_000


class TextDocument(BaseModel):
    """A document given as an object."""

    text: str


class RerankRequest(BaseModel):
    """The body of `/v1/rerank` (https://docs.cohere.com/reference/rerank)."""

    model_config = ConfigDict(extra="ignore")

    query: str = Field(min_length=1, max_length=MAX_CHARS)
    documents: list[str | TextDocument] = Field(min_length=1, max_length=MAX_DOCUMENTS)
    top_n: int | None = Field(default=None, ge=1)
    return_documents: bool = False

    @property
    def texts(self) -> list[str]:
        """The documents as text."""
        return [d if isinstance(d, str) else d.text for d in self.documents]


def build(spec: DeploymentSpec) -> Application:
    """One replica holds one cross-encoder."""
    return application(Rerank, spec)


class CrossEncoderModel:
    """A cross-encoder of sentence-transformers. Knows nothing of HTTP or Ray."""

    def __init__(self, spec: DeploymentSpec) -> None:
        """Load the folder `spec.weights`.

        Raises:
            EngineError: the folder is missing.
        """
        if spec.weights is None or not spec.weights.is_dir():
            raise EngineError(
                f"模型 {spec.model} 的权重目录 {spec.weights} 不存在，"
                f"请运行 zhengwu models pull {spec.model}。"
            )
        import torch  # pyright: ignore[reportMissingImports]
        from sentence_transformers import CrossEncoder  # pyright: ignore[reportMissingImports]

        device = str(spec.engine_options.get("device", "cpu"))
        if device == "cpu":
            torch.set_num_threads(spec.thread_count)
        self._batch = int(cast(int, spec.engine_options.get("batch", 16)))
        self._model = CrossEncoder(
            str(spec.weights),
            device=device,
            max_length=spec.context_tokens,
            num_labels=1,
            local_files_only=True,
            trust_remote_code=False,
        )
        self._sigmoid = torch.nn.Sigmoid()

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """How relevant each text is to the query, 0 to 1."""
        scores = self._model.predict(
            [(query, text) for text in texts],
            batch_size=self._batch,
            activation_fn=self._sigmoid,
            show_progress_bar=False,
        )
        return [float(score) for score in scores]


class Rerank:
    """The replica."""

    def __init__(self, spec: DeploymentSpec) -> None:
        """Load the weights."""
        self._spec = spec
        self._model = CrossEncoderModel(spec)
        self._gate = Gate(spec.max_ongoing_requests, spec.max_queued_requests, spec.retry_after_s)
        self._one = asyncio.Lock()

    def __serve_build_asgi_app__(self) -> FastAPI:
        """The replica's routes; Ray Serve asks for them after the constructor."""
        app = engine_app(self._spec.model, self._gate, self.check_health)
        app.post("/v1/rerank")(self.rerank)
        return app

    async def check_health(self) -> None:
        """Whether the model still computes."""
        async with self._one:
            await asyncio.to_thread(self._model.score, "健康", ["检查"])

    async def rerank(self, request: Request) -> Response:
        """Order the documents by relevance, best first."""
        _, body = await read_body(request, self._spec.model)
        asked = _read(body)
        texts = asked.texts
        async with self._gate.enter(), self._one:
            scores = await asyncio.to_thread(self._model.score, asked.query, texts)
        order = sorted(range(len(texts)), key=lambda i: -scores[i])[: asked.top_n]
        results: list[dict[str, Any]] = [{"index": i, "relevance_score": scores[i]} for i in order]
        if asked.return_documents:
            for row in results:
                row["document"] = {"text": texts[row["index"]]}
        answer = {"id": uuid.uuid4().hex, "model": self._spec.model, "results": results}
        return Response(orjson.dumps(answer), media_type="application/json")


def _read(body: dict[str, object]) -> RerankRequest:
    try:
        asked = RerankRequest.model_validate(body)
    except ValidationError as error:
        fields = "、".join(sorted({str(e["loc"][0]) for e in error.errors()}))
        raise EngineRefused(
            f"字段有误：{fields}。要有 query 和 1–{MAX_DOCUMENTS} 条 documents。"
        ) from error
    if (longest := max(map(len, asked.texts))) > MAX_CHARS:
        raise EngineRefused(f"每条最多 {MAX_CHARS} 字，收到 {longest} 字。", 400, "limit")
    return asked
