"""Serves the paths that carry all the traffic without a framework between the edge and them.

The framework knows the same endpoints, for its documentation and for whatever is not a plain
`POST`; here they are found by their path alone.
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.errors import from_error
from zhengwu.gateway.reply import send_problem

Endpoint = Callable[[Request], Awaitable[Response]]


class Direct:
    """Gives a `POST` to one of `endpoints` (path → endpoint) to it, and everything else on."""

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, Endpoint]) -> None:
        self._app = app
        self._endpoints = dict(endpoints)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        endpoint = None
        if scope["type"] == "http" and scope["method"] == "POST":
            endpoint = self._endpoints.get(scope["path"])
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = _Taken(scope["path"])
        try:
            response = await endpoint(Request(scope, receive))
            await response(scope, receive, send)
        except ZhengwuError as error:
            await send_problem(from_error(error), scope, receive, send)


class _Taken:
    """What stands for the route in the log."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path
