"""An upstream that says exactly what a test tells it to, cut where the test tells it to."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from tests.gateway.upstream import Wire

Delta = dict[str, Any]
USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


def chunk(delta: Delta, finish: str | None = None, **further: Any) -> Delta:
    """One event of a chat completion."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **further}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]}


def said(*words: str, finish: str = "stop") -> list[Delta]:
    """A plain answer in pieces, and its usage."""
    events = [chunk({"content": word}) for word in words]
    return [*events, chunk({}, finish), {"choices": [], "usage": USAGE}]


@dataclass
class Scripted(Wire):
    """Streams `events`, or answers with `message`; `status` makes it an error."""

    events: Sequence[Delta] = field(default_factory=lambda: said("你好", "，", "市民"))
    message: Delta = field(default_factory=lambda: {"role": "assistant", "content": "你好，市民"})
    finish: str = "stop"
    status: int = 200
    ends: bool = True
    sure: dict[str, float] = field(default_factory=dict[str, float])
    answers: Iterator[Delta] | None = None
    """Messages in turn, before `message`."""
    hold: asyncio.Event | None = None
    """Waited for after the first event."""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await self.remember(request)
        if self.status != 200:
            told = {"message": "模型忙", "type": "server_error"}
            return web.json_response({"error": told}, status=self.status)
        if body.get("stream"):
            return await self._events(request, body)
        if self.hold:
            await self._wait()
        if body.get("max_tokens") == 1:
            return self._judged(body)
        message = next(self.answers, self.message) if self.answers else self.message
        choice = {"index": 0, "message": message, "finish_reason": self.finish}
        answer = {"id": "chatcmpl-1", "object": "chat.completion", "model": body["model"]}
        return web.json_response({**answer, "choices": [choice], "usage": USAGE})

    async def _events(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        for at, event in enumerate(self.events):
            data = json.dumps({"model": body["model"], **event}, ensure_ascii=False)
            await answer.write(f"data: {data}\n\n".encode())
            if at == 0 and self.hold:
                await self._wait()
        if self.ends:
            await answer.write(b"data: [DONE]\n\n")
        return answer

    def _judged(self, body: Delta) -> web.StreamResponse:
        """As sure as `sure` says of the first word of it that the question holds."""
        asked = body["messages"][-1]["content"]
        yes = next((sure for word, sure in self.sure.items() if word in asked), -5.0)
        choice = {"index": 0, "message": {"content": "是"}, "finish_reason": "length"}
        told = {"model": body["model"], "choices": [{**choice, "logprobs": surer(yes)}]}
        return web.json_response({**told, "usage": USAGE})

    async def completions(self, request: web.Request) -> web.StreamResponse:
        body = await self.remember(request)
        if not body.get("stream"):
            return web.json_response(_text(body, f"{body['prompt']}三楼", "stop", USAGE))
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        events = [
            _text(body, "三", None),
            _text(body, "楼", "stop"),
            _text(body, None, None, USAGE),
        ]
        for event in events:
            await answer.write(f"data: {json.dumps(event)}\n\n".encode())
        if self.hold:
            await self._wait()
        if self.ends:
            await answer.write(b"data: [DONE]\n\n")
        return answer

    async def _wait(self) -> None:
        assert self.hold
        try:
            await self.hold.wait()
        except asyncio.CancelledError:
            self.left.set()
            raise


def _text(body: Delta, text: str | None, finish: str | None, usage: Delta | None = None) -> Delta:
    choices = [{"index": 0, "text": text, "finish_reason": finish}] if text else []
    told = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": body["model"]}
    return {**told, "choices": choices, **({"usage": usage} if usage else {})}


def surer(yes: float) -> Delta:
    """A choice whose first token is 是 by `yes` against 否."""
    top = [{"token": "是", "logprob": yes}, {"token": "否", "logprob": 0.0}]
    return {"content": [{"token": "是", "logprob": yes, "top_logprobs": top}]}
