"""A real server on the loopback that speaks the OpenAI wire and remembers what it was sent."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@dataclass
class Wire:
    """What came in, and whether the caller hung up on a slow answer."""

    port: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    headers: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await self.remember(request)
        said = body["messages"][-1]["content"]
        if said == "太长":
            told = {"message": "context length exceeded", "type": "invalid_request_error"}
            return web.json_response({"error": told}, status=400)
        if body.get("stream"):
            return await self._stream(request, body, said)
        return web.json_response(_completion(body, said))

    async def _stream(
        self, request: web.Request, body: dict[str, Any], said: str
    ) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        for at, word in enumerate(("你好", "，", "市民")):
            event = _delta(body["model"], word, at == 2)
            await answer.write(f"data: {json.dumps(event)}\n\n".encode())
        if said == "断开":
            assert request.transport is not None
            request.transport.abort()
            return answer
        if said == "很慢":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.left.set()
                raise
        await answer.write(b"data: [DONE]\n\n")
        return answer

    async def completions(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPNotFound

    async def embeddings(self, request: web.Request) -> web.Response:
        body = await self.remember(request)
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        rows = [
            {"object": "embedding", "index": at, "embedding": [float(len(str(text))), 1.0]}
            for at, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return web.json_response(
            {"object": "list", "data": rows, "model": body["model"], "usage": usage}
        )

    async def health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def remember(self, request: web.Request) -> dict[str, Any]:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(request.headers)
        return body


def _completion(body: dict[str, Any], said: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": f"您问的是：{said}"}
    reason = "stop"
    if "tools" in body:
        name = body["tools"][0]["function"]["name"]
        call = {"name": name, "arguments": '{"city": "示范市"}'}
        message = {"role": "assistant", "content": None}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": call}]
        reason = "tool_calls"
    if "response_format" in body:
        message["content"] = '{"city": "示范市"}'
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": USAGE,
    }


def _delta(model: str, word: str, last: bool) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
        "choices": [
            {
                "index": 0,
                "delta": {"role": "assistant", "content": word},
                "finish_reason": "stop" if last else None,
            }
        ],
    }


@asynccontextmanager
async def running_upstream(wire: Wire | None = None) -> AsyncGenerator[Wire]:
    """The server, on a free port."""
    wire = wire or Wire()
    app = web.Application()
    app.router.add_post("/{model}/v1/chat/completions", wire.chat)
    app.router.add_post("/{model}/v1/completions", wire.completions)
    app.router.add_post("/{model}/v1/embeddings", wire.embeddings)
    app.router.add_get("/{model}/health", wire.health)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    wire.port = runner.addresses[0][1]
    try:
        yield wire
    finally:
        await runner.cleanup()
