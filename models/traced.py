"""Puts a span around every call to an upstream, and lets the upstream go on with the trace.

Wraps `Opens`; knows nothing of who asks. Where nothing is traced it only passes on.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from zhengwu.models.upstream import Call, Opens, Reply, Upstream
from zhengwu.tracing import CallSpan


class Traced:
    """Traces calls, around an `Opens`."""

    def __init__(self, opens: Opens) -> None:
        self._opens = opens

    @asynccontextmanager
    async def open(self, upstream: Upstream, call: Call) -> AsyncGenerator[Reply]:
        """Open the call; its span ends when it is closed."""
        span = CallSpan(
            f"call {call.path}",
            gen_ai__request__model=upstream.model,
            zhengwu__upstream=upstream.name,
            zhengwu__grade=call.grade,
            zhengwu__stream=call.stream,
        )
        if headers := span.headers:
            call = replace(call, headers={**call.headers, **headers})
        try:
            async with self._opens.open(upstream, call) as reply:
                yield reply
        except BaseException as error:
            span.end(error)
            raise
        span.end(http__response__status_code=reply.status)
