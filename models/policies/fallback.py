"""Other routes for a name whose own upstreams cannot do it. Knows names; opens nothing itself."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from zhengwu.models.errors import (
    ContentRefused,
    ContextOverflow,
    DeadlinePassed,
    EgressRefused,
    ModelError,
    UpstreamError,
)
from zhengwu.models.route import Route
from zhengwu.models.upstream import Call, Reply, Routes


@dataclass(frozen=True)
class Fallbacks:
    """Opens a call at a name's own route, and then at those it falls back to.

    A request that is too long goes to the routes for long ones. The data grade is decided again
    at every upstream, so no fallback widens where a request may go; and an upstream that was
    tried for the request is not tried again.
    """

    inner: Routes
    routes: Mapping[str, Route]

    @asynccontextmanager
    async def open(self, alias: str, call: Call) -> AsyncGenerator[Reply]:
        """Open the call. The error of the first route is raised when every one failed."""
        route = self.routes.get(alias)
        if route is None or not (route.fallbacks or route.overflow):
            async with self.inner.open(alias, call) as reply:
                yield reply
            return
        first: ModelError | None = None
        names = [alias]
        while names:
            name = names.pop(0)
            async with AsyncExitStack() as stack:
                try:
                    reply = await stack.enter_async_context(self.inner.open(name, call))
                except (DeadlinePassed, ContentRefused):
                    raise
                except (UpstreamError, EgressRefused) as error:
                    if first is None:
                        first = error
                        long = isinstance(error, ContextOverflow)
                        names = [*(route.overflow if long else route.fallbacks)]
                    continue
                yield reply
                return
        if first is not None:
            raise first
