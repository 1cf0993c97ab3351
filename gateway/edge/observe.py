"""Times every request: one JSON line in the access log, and the metrics.

The line carries no body, no query, no address and no path that a caller wrote: the route's
pattern stands for it. Facts that routes add with `reply.note` are codes and counts.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import orjson
from starlette.types import Scope

from zhengwu.gateway.metrics import Metrics
from zhengwu.gateway.reply import request_id

LOGGER = "zhengwu.gateway.access"
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_LOG = logging.getLogger(LOGGER)


def log_line(line: Mapping[str, object]) -> None:
    """Write one access log line as JSON."""
    if _LOG.isEnabledFor(logging.INFO):
        _LOG.info(orjson.dumps(line).decode())


class Records:
    """Writes down each request when it has ended."""

    def __init__(
        self, metrics: Metrics, log: Callable[[Mapping[str, object]], None] = log_line
    ) -> None:
        self._metrics = metrics
        self._log = log

    def write(self, scope: Scope, status: int, sent: int, seconds: float) -> None:
        """Write one request down: its HTTP status, bytes sent, and time."""
        route = pattern_of(scope)
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        self._metrics.request(route, method, status, seconds)
        self._log(
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
