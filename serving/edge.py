"""The outermost layer of Ray Serve's proxy: whatever Serve itself says, in OpenAI's shape.

Serve answers in plain text when a queue is full or a route is unknown, and only hangs up when a
replica dies. A client must never take a cut stream for a finished answer.
"""

from dataclasses import dataclass, field

import orjson
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zhengwu.serving.wire import error_body

IMPORT_PATH = "zhengwu.serving.edge.middlewares"
"""Value of RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH."""

SAID = {
    404: ("没有这个模型，或它还没有启动。", "model_not_found"),
    408: ("模型没有在时限内回答，请重试。", "timeout"),
    429: ("请求太多，请稍后重试。", "queue_full"),
    503: ("模型正忙或正在重启，请稍后重试。", "queue_full"),
}
DIED = ("模型进程在回答中退出，正在重启，请重试。", 502, "engine_died")


def middlewares() -> list[Middleware]:
    """What Ray Serve's proxy wraps around itself."""
    return [Middleware(OpenAIShape)]


@dataclass
class Progress:
    """How far one response has come."""

    started: bool = False
    ended: bool = False
    streams: bool = False
    replaced: list[Message] = field(default_factory=list[Message])


class OpenAIShape:
    """Rewrites plain-text errors, and says on a stream that it was cut."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"].startswith("/-/"):
            await self._app(scope, receive, send)
            return
        progress = Progress()

        async def watched(message: Message) -> None:
            await _pass_on(message, progress, send)

        await self._app(scope, receive, watched)
        if not progress.started:
            await _send_error(*DIED, [], send)
        elif not progress.ended and progress.streams:
            data = b"data: " + orjson.dumps(error_body(*DIED)) + b"\n\n"
            # No last body message follows: the server then cuts the connection.
            await send({"type": "http.response.body", "body": data, "more_body": True})


async def _pass_on(message: Message, progress: Progress, send: Send) -> None:
    if message["type"] == "http.response.start":
        progress.started = True
        headers = {k.lower(): v for k, v in message.get("headers", [])}
        kind = headers.get(b"content-type", b"")
        progress.streams = kind.startswith(b"text/event-stream")
        if message["status"] >= 400 and not kind.startswith(b"application/json"):
            progress.replaced.append(message)
            return
    elif message["type"] == "http.response.body":
        progress.ended = not message.get("more_body", False)
        if progress.replaced:
            if progress.ended:
                await _replace(progress.replaced[0], send)
            return
    await send(message)


async def _replace(start: Message, send: Send) -> None:
    status = int(start["status"])
    message, code = SAID.get(status, ("模型服务出错，请重试。", "server_error"))
    kept = [(k, v) for k, v in start.get("headers", []) if k.lower() == b"retry-after"]
    if status == 503 and not kept:
        kept = [(b"retry-after", b"2")]
    await _send_error(message, status, code, kept, send)


async def _send_error(
    message: str, status: int, code: str, headers: list[tuple[bytes, bytes]], send: Send
) -> None:
    body = orjson.dumps(error_body(message, status, code))
    kind = (b"content-type", b"application/json")
    length = (b"content-length", str(len(body)).encode())
    await send(
        {"type": "http.response.start", "status": status, "headers": [kind, length, *headers]}
    )
    await send({"type": "http.response.body", "body": body})
