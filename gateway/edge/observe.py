"""Times every request: one JSON line in the access log, and the metrics.

The line carries no body, no query, no address and no path that a caller wrote: the route's
pattern stands for it. Facts that routes add with `reply.note` are codes and counts.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zhengwu.gateway.metrics import Metrics
from zhengwu.gateway.reply import request_id

LOGGER = "zhengwu.gateway.access"
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


def log_line(line: Mapping[str, object]) -> None:
    """Write one access log line as JSON."""
    logging.getLogger(LOGGER).info(orjson.dumps(dict(line)).decode())


class Observe:
    """Writes down each request when it has ended, however it ended."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        write: Callable[[Mapping[str, object]], None] = log_line,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status, sent = 499, 0  # 499: the caller left before an answer began

        async def count(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, count)
        finally:
            self._record(scope, status, sent, time.perf_counter() - began)

    def _record(self, scope: Scope, status: int, sent: int, seconds: float) -> None:
        route = pattern_of(scope)
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        self._metrics.request(route, method, status, seconds)
        self._write(
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "request_id": request_id(scope),
                "method": method,
                "route": route,
                "status": status,
                "ms": round(seconds * 1000, 1),
                "bytes": sent,
                **scope.get("state", {}).get("notes", {}),
            }
        )


def pattern_of(scope: Scope) -> str:
    """The pattern of the route that took the request, or `-` if none did."""
    return str(getattr(scope.get("route"), "path", "-"))
