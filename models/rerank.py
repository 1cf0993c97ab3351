"""Reranks with a chat model where no cross-encoder runs: the embedded default.

Wraps the routes: a call to `rerank` becomes one short question a document, and the chat model's
log-probability of 是 against 否 is its relevance. Every question goes through the wrapped
routes, so the data grade is checked for each. Other calls pass.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from uuid import uuid4

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zhengwu.errors import LimitError
from zhengwu.models.attempts import Attempts
from zhengwu.models.errors import ModelError, UpstreamFailed
from zhengwu.models.upstream import Call, Reply, Routes
from zhengwu.models.wire import ChatReply, ChatRequest, Message, error_message, parse_reply
from zhengwu.models.yes_no import TOP, yes_margin

PATH = "rerank"
MAX_DOCUMENTS = 100
MAX_CHARS = 4000
"""As much of a document as is read; what comes after does not count."""
AT_ONCE = 4


class RerankCall(BaseModel):
    """What is asked."""

    model_config = ConfigDict(extra="ignore")

    model: str
    query: str
    documents: list[str] = Field(min_length=1)
    top_n: int | None = Field(default=None, ge=1)


@dataclass(frozen=True)
class Scored:
    """How relevant one document is, 0 to 1, and what it took to know."""

    relevance: float
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class WholeReply:
    """An answer that is all here."""

    body: bytes
    status: int = 200

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that concern the content."""
        return {"content-type": "application/json"}

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, in one."""
        yield self.body


class ChatRerank:
    """Routes on which some names rerank with the chat model behind them."""

    def __init__(self, routes: Routes, names: Collection[str], at_once: int = AT_ONCE) -> None:
        """`names`: the routes whose upstreams are chat models that shall rerank."""
        self._routes = routes
        self._names = frozenset(names)
        self._at_once = at_once

    @asynccontextmanager
    async def open(self, alias: str, call: Call) -> AsyncGenerator[Reply]:
        """Open `call`, or answer it by asking the chat model.

        Raises:
            LimitError: too many documents for a chat model.
            EgressRefused, UpstreamError: as the wrapped routes do.
        """
        if call.path != PATH or alias not in self._names:
            async with self._routes.open(alias, call) as reply:
                yield reply
            return
        asked = _read(call.body)
        yield WholeReply(_answer(asked, await self._score(alias, call, asked)))

    async def _score(self, alias: str, call: Call, asked: RerankCall) -> Sequence[Scored]:
        places = asyncio.Semaphore(self._at_once)

        async def one(document: str) -> Scored:
            async with places:
                return _scored(await self._ask(alias, call, question_of(asked.query, document)))

        tasks = [asyncio.ensure_future(one(document)) for document in asked.documents]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _ask(self, alias: str, call: Call, question: ChatRequest) -> ChatReply:
        chat = replace(
            call,
            path="chat/completions",
            body=question.to_json(stream=False),
            fields=None,
            attempts=Attempts(),
        )
        try:
            async with self._routes.open(alias, chat) as reply:
                answer = b"".join([block async for block in reply.chunks()])
                if reply.status != 200:
                    told = f"上游拒绝了请求（HTTP {reply.status}）：{error_message(answer) or ''}"
                    raise UpstreamFailed(told, reply.status)
        finally:
            call.attempts.take(chat.attempts)
        return parse_reply(answer)


def _read(body: bytes) -> RerankCall:
    try:
        asked = RerankCall.model_validate_json(body)
    except ValidationError as error:
        raise ModelError("重排请求要有 model、query 和 documents，请检查后重试") from error
    if len(asked.documents) > MAX_DOCUMENTS:
        raise LimitError(
            f"用对话模型重排一次最多 {MAX_DOCUMENTS} 条，收到 {len(asked.documents)} 条；"
            "请分批，或请管理员部署重排模型"
        )
    return asked


def question_of(query: str, document: str) -> ChatRequest:
    """What the chat model is asked of one document."""
    # The document first: the query's place comes before it, so braces in either are only text.
    user = _prompt("rerank_user").replace("{document}", document[:MAX_CHARS], 1)
    user = user.replace("{query}", query, 1)
    told = (Message(role="system", content=_prompt("rerank")), Message(role="user", content=user))
    return ChatRequest(messages=told, temperature=0, max_tokens=1, top_logprobs=TOP)


def _scored(reply: ChatReply) -> Scored:
    usage = reply.usage
    return Scored(
        1 / (1 + math.exp(-yes_margin(reply))),
        usage.prompt_tokens if usage else 0,
        usage.completion_tokens if usage else 0,
    )


def _answer(asked: RerankCall, scored: Sequence[Scored]) -> bytes:
    order = sorted(range(len(scored)), key=lambda i: -scored[i].relevance)[: asked.top_n]
    results = [{"index": i, "relevance_score": scored[i].relevance} for i in order]
    prompt = sum(one.prompt_tokens for one in scored)
    completion = sum(one.completion_tokens for one in scored)
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    told = {"id": uuid4().hex, "model": asked.model, "results": results, "usage": usage}
    return orjson.dumps(told)


@cache
def _prompt(name: str) -> str:
    folder = files("zhengwu.models").joinpath("prompts")
    return folder.joinpath(f"{name}.txt").read_text(encoding="utf-8").strip()
