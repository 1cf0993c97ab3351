"""The outermost layer, one for all that every answer gets: an id, headers, a catch, a record.

One layer, because a stream passes it with every piece. What it adds is its neighbours': the id is
`request_id.py`'s, the headers `security.py`'s, the record `observe.py`'s.
"""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zhengwu.gateway.edge.observe import Records
from zhengwu.gateway.edge.request_id import id_of
from zhengwu.gateway.edge.security import with_security
from zhengwu.gateway.errors import INTERNAL, INTERNAL_CODE, Problem
from zhengwu.gateway.governed.service import SERVED_FOR
from zhengwu.gateway.reply import send_problem

LOG = logging.getLogger("zhengwu.gateway")
NOBODY_READS = 499
"""The status of a request whose caller left before an answer began."""


class Edge:
    """Serves one request after the other, and writes each down, however it ends."""

    def __init__(self, app: ASGIApp, records: Records) -> None:
        self._app = app
        self._records = records

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. An error nobody foresaw is a 500 without detail, and a log entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        name = id_of(scope)
        scope.setdefault("state", {})["request_id"] = name
        SERVED_FOR.set(name)
        answer = _Answer(send, name, scope["path"])
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            if answer.status != NOBODY_READS:
                raise  # it has begun; all that is left is to cut the connection
            LOG.exception("request %s failed", name)
            problem = Problem(500, INTERNAL_CODE, INTERNAL)
            await send_problem(problem, scope, receive, answer.send)
        finally:
            self._records.write(scope, answer.status, answer.sent, time.perf_counter() - began)


class _Answer:
    """What goes out, counted."""

    __slots__ = ("_name", "_path", "_send", "sent", "status")

    def __init__(self, send: Send, name: str, path: str) -> None:
        self._send = send
        self._name = name.encode()
        self._path = path
        self.status = NOBODY_READS
        self.sent = 0

    async def send(self, message: Message) -> None:
        """Send one message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = with_security(message.get("headers", ()), self._path)
            headers.append((b"x-request-id", self._name))
            message = {**message, "headers": headers}
        else:
            self.sent += len(message.get("body", b""))
        await self._send(message)
