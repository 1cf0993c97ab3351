"""The governed path for callers inside the gateway: what they ask is metered and audited, too."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from uuid import uuid4

from zhengwu.gateway.governed.asked import Asked
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.path import Governed
from zhengwu.gateway.governed.relay import Relayed
from zhengwu.models.cards import Kind
from zhengwu.models.upstream import Call

KINDS: dict[str, Kind] = {"embeddings": "embedding", "rerank": "reranker"}
SERVED_FOR: ContextVar[str] = ContextVar("SERVED_FOR", default="")
"""The id of the HTTP request that is being served; its calls to models are named after it."""
ID_CHARS = 48


class GovernedRoutes:
    """`Routes` over the governed path, on behalf of one service."""

    def __init__(self, governed: Governed, caller: Caller, route: str) -> None:
        """`route`: what the records say was asked, for instance `/api/qa`."""
        self._governed = governed
        self._caller = caller
        self._route = route

    @asynccontextmanager
    async def open(self, alias: str, call: Call) -> AsyncGenerator[Relayed]:
        """Open `call`, whose body names the route; its grade counts as declared."""
        outer = SERVED_FOR.get()[:ID_CHARS]
        name = f"{outer}.{uuid4().hex[:12]}" if outer else uuid4().hex
        asked = Asked(
            caller=self._caller,
            path=call.path,
            body=call.body,
            request_id=name,
            kind=KINDS.get(call.path, "chat"),
            route=self._route,
            declared=str(call.grade),
            headers={**call.headers, "x-request-id": name},
        )
        async with self._governed.open(asked) as relayed:
            yield relayed
