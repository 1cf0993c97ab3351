"""The edge: an error nobody foresaw becomes a 500 without inner detail, and a log entry."""

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zhengwu.gateway.errors import INTERNAL, Problem
from zhengwu.gateway.reply import request_id, send_problem

LOG = logging.getLogger("zhengwu.gateway")


class Catch:
    """The one blind `except`. After the answer has begun it can only cut the connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        began = False

        async def watch(message: Message) -> None:
            nonlocal began
            began = began or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception:
            if scope["type"] != "http" or began:
                raise
            LOG.exception("request %s failed", request_id(scope))
            await send_problem(Problem(500, "internal", INTERNAL), scope, receive, send)
