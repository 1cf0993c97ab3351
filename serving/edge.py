"""The outermost layers of Ray Serve's proxy: which version answers, one more try, OpenAI's shape.

Serve answers in plain text when a queue is full or a route is unknown, and only hangs up when a
replica dies. A client must never take a cut stream for a finished answer, and a request that has
not begun to be answered is not lost with its replica: it is asked again.
"""

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zhengwu.serving.routes import VARIABLE, Route, RouteTable
from zhengwu.serving.wire import MAX_BODY, error_body

IMPORT_PATH = "zhengwu.serving.edge.middlewares"
"""Value of RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH."""

SAID = {
    404: ("没有这个模型，或它还没有启动。", "model_not_found"),
    408: ("模型没有在时限内回答，请重试。", "timeout"),
    429: ("请求太多，请稍后重试。", "queue_full"),
    503: ("模型正忙或正在重启，请稍后重试。", "queue_full"),
}
DIED = ("模型进程在回答中退出，正在重启，请重试。", 502, "engine_died")
DRAINED = ("模型已由管理员停止服务，请改用其他模型或稍后重试。", 503, "model_drained")
DRAINED_RETRY_S = 30

WAITS_S = (0.2, 1.0)
"""Before each further try of a request whose replica died unheard. Few: it may be what kills."""


def middlewares() -> list[Middleware]:
    """What Ray Serve's proxy wraps around itself, the outermost first."""
    path = os.environ.get(VARIABLE)
    table = RouteTable(Path(path) if path else None)
    return [Middleware(Versions, table=table), Middleware(OpenAIShape), Middleware(Again)]


class Versions:
    """Sends `/model/…` to the version of the model that is in service."""

    def __init__(self, app: ASGIApp, table: RouteTable) -> None:
        """Wrap `app`."""
        self._app, self._table = app, table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        _, _, rest = scope["path"].partition("/")
        model, _, what = rest.partition("/")
        route = self._table.get(model) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
        elif route.application is None:
            retry = (b"retry-after", str(DRAINED_RETRY_S).encode())
            await _send_error(*DRAINED, [retry], send)
        elif route.may_sleep and what in ("health", "load"):
            if what == "load" and not route.asleep:
                await self._app(_at(scope, route.application, what), receive, send)
            else:
                await _tell(route, what, send)
        else:
            await self._app(_at(scope, route.application, what), receive, send)


def _at(scope: Scope, application: str, what: str) -> Scope:
    path = f"/{application}/{what}"
    return {**scope, "path": path, "raw_path": path.encode()}


async def _tell(route: Route, what: str, send: Send) -> None:
    if what == "load":
        body: dict[str, object] = {"ongoing": 0, "running": 0, "waiting": 0}
    else:
        body = {"status": "asleep" if route.asleep else "ok" if route.healthy else "down"}
    status = 200 if what == "load" or route.healthy else 503
    await _send_json(body, status, [], send)


class Again:
    """Asks again when a replica died before it said anything."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"].startswith("/-/"):
            await self._app(scope, receive, send)
            return
        kept, begun = Kept(receive), False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        for wait in (*WAITS_S, None):
            await self._app(scope, kept.replay(), watched)
            if begun or wait is None or kept.left or kept.too_large:
                return
            await asyncio.sleep(wait)


class Kept:
    """The messages of a request's body, so that it can be read once more."""

    def __init__(self, receive: Receive) -> None:
        """Nothing is read yet."""
        self._receive = receive
        self._messages: list[Message] = []
        self._bytes = 0
        self._lock = asyncio.Lock()
        self.left = False
        """The client went away."""

    @property
    def too_large(self) -> bool:
        """More than any engine accepts: not kept."""
        return self._bytes > MAX_BODY

    def replay(self) -> Receive:
        """A `receive` that begins with everything read so far."""
        position = 0

        async def receive() -> Message:
            nonlocal position
            async with self._lock:
                if position < len(self._messages):
                    position += 1
                    return self._messages[position - 1]
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    self.left = True
                    return message
                self._bytes += len(message.get("body", b""))
                if not self.too_large:
                    self._messages.append(message)
                    position += 1
                return message

        return receive


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
    await _send_json(error_body(message, status, code), status, headers, send)


async def _send_json(
    value: dict[str, object], status: int, headers: list[tuple[bytes, bytes]], send: Send
) -> None:
    body = orjson.dumps(value)
    kind = (b"content-type", b"application/json")
    length = (b"content-length", str(len(body)).encode())
    await send(
        {"type": "http.response.start", "status": status, "headers": [kind, length, *headers]}
    )
    await send({"type": "http.response.body", "body": body})
