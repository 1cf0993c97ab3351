"""`/v1/rerank` in the shape of Jina, vLLM and Cohere's first version; `/v2/rerank` in Cohere's.

Sources: https://docs.cohere.com/v1/reference/rerank, https://docs.cohere.com/reference/rerank,
https://jina.ai/reranker
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from zhengwu.gateway.reply import note
from zhengwu.gateway.stream import until_left
from zhengwu.gateway.wire.asked import Asked, Opens
from zhengwu.gateway.wire.errors import UnsupportedParameter, WrongParameter
from zhengwu.gateway.wire.through import Asking
from zhengwu.models.errors import UpstreamFailed

RERANK = "rerank"
MAX_DOCUMENTS, MAX_CHARS = 512, 20_000


class _Body(BaseModel):
    model_config = ConfigDict(extra="allow")

    model: str = Field(default=RERANK, min_length=1, max_length=200)
    query: str = Field(min_length=1, max_length=MAX_CHARS)
    top_n: int | None = Field(default=None, ge=1)

    def check(self) -> None:
        """Refuse what is not offered, by name."""
        for name, value in (self.model_extra or {}).items():
            if value is not None:
                told = f"不支持参数 {name[:100]}：请去掉后重试。"
                raise UnsupportedParameter(told, name[:100])


class RerankBody(_Body):
    """The body of `POST /v1/rerank`."""

    documents: list[str | dict[str, Any]] = Field(min_length=1, max_length=MAX_DOCUMENTS)
    return_documents: bool | None = None

    @property
    def texts(self) -> list[str]:
        """The documents as text."""
        return [_text(at, document) for at, document in enumerate(self.documents)]


class RerankV2Body(_Body):
    """The body of `POST /v2/rerank`."""

    documents: list[str] = Field(min_length=1, max_length=MAX_DOCUMENTS)
    max_tokens_per_doc: int = Field(default=4096, ge=1)

    @property
    def texts(self) -> list[str]:
        """The documents, cut: a character of Chinese is about a token."""
        return [document[: self.max_tokens_per_doc] for document in self.documents]


def rerank_routes(asking: Asking, opens: Opens) -> APIRouter:
    """The routes that rerank. Every one needs a key."""
    routes = APIRouter(tags=["openai"])
    who = Depends(asking)

    @routes.post("/v1/rerank", response_class=Response)
    async def first(body: RerankBody, request: Request, asked: Asked = who) -> Response:  # pyright: ignore[reportUnusedFunction]
        texts = body.texts
        told = await _ranked(opens, asked, body, texts, request)
        if body.return_documents is not False:
            for row in told["results"]:
                row["document"] = {"text": texts[row["index"]]}
        return _json({"object": "rerank", **told, "meta": _meta("1")})

    @routes.post("/v2/rerank", response_class=Response)
    async def second(body: RerankV2Body, request: Request, asked: Asked = who) -> Response:  # pyright: ignore[reportUnusedFunction]
        told = await _ranked(opens, asked, body, body.texts, request)
        tokens = {"tokens": {"input_tokens": told["usage"]["prompt_tokens"]}}
        rows = {"id": told["id"], "results": told["results"]}
        return _json({**rows, "meta": {**_meta("2"), **tokens}})

    return routes


async def _ranked(
    opens: Opens, asked: Asked, body: _Body, texts: Sequence[str], request: Request
) -> dict[str, Any]:
    body.check()
    for at, text in enumerate(texts):
        if not 0 < len(text) <= MAX_CHARS:
            raise WrongParameter(f"documents[{at}] 应为 1 至 {MAX_CHARS} 字。", f"documents[{at}]")
    note(request.scope, documents=len(texts))
    fields = {"model": body.model, "query": body.query, "documents": texts}
    sent = orjson.dumps(fields | ({"top_n": min(body.top_n, len(texts))} if body.top_n else {}))

    async def whole() -> bytes:
        async with opens.open(asked, "rerank", sent, False) as opened:
            return await opened.whole()

    return _read(await until_left(request.receive, whole()), len(texts), asked)


def _read(answer: bytes, count: int, asked: Asked) -> dict[str, Any]:
    """What came back, with nothing but what both shapes need."""
    try:
        told: Mapping[str, Any] = orjson.loads(answer)
        rows = [
            {"index": int(row["index"]), "relevance_score": float(row["relevance_score"])}
            for row in told["results"]
        ]
        usage: Mapping[str, Any] = told.get("usage") or {}
        prompt = int(usage.get("prompt_tokens") or usage.get("total_tokens") or 0)
        total = int(usage.get("total_tokens") or prompt)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise UpstreamFailed("重排服务的回答不符合接口格式，请联系运维检查上游") from error
    if any(not 0 <= row["index"] < count for row in rows):
        raise UpstreamFailed("重排服务返回了不存在的序号，请联系运维检查上游")
    return {
        "id": str(told.get("id") or asked.request_id),
        "model": str(told.get("model") or ""),
        "results": rows,
        "usage": {"prompt_tokens": prompt, "total_tokens": total},
    }


def _text(at: int, document: str | Mapping[str, Any]) -> str:
    if isinstance(document, str):
        return document
    text = document.get("text")
    if not isinstance(text, str) or len(document) > 1:
        place = f"documents[{at}]"
        raise WrongParameter(f"{place} 应为文本，或只有 text 的对象。", place)
    return text


def _meta(version: str) -> dict[str, Any]:
    return {"api_version": {"version": version}, "billed_units": {"search_units": 1}}


def _json(told: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(dict(told)), media_type="application/json")
