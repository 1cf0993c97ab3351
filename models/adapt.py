"""Speaks each upstream's own dialect of the wire: the one adapter between `Call` and `Egress`."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from zhengwu.models.normalise import NormalReply
from zhengwu.models.shape import CHAT, shaped
from zhengwu.models.upstream import Call, Opens, Reply, Upstream


class Adapted:
    """Opens calls in the upstream's dialect, and gives answers in OpenAI's."""

    def __init__(self, opens: Opens) -> None:
        """`opens` connects."""
        self._opens = opens

    def open(self, upstream: Upstream, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open the call; bytes pass untouched where nothing has to change.

        Raises:
            ModelError: the body is not a JSON object.
        """
        quirks = upstream.quirks
        opened = self._opens.open(upstream, shaped(call, upstream))
        if quirks is None or not quirks.marks or call.path != CHAT:
            return opened
        return self._normal(opened, upstream, call)

    @asynccontextmanager
    async def _normal(
        self, opened: AbstractAsyncContextManager[Reply], upstream: Upstream, call: Call
    ) -> AsyncGenerator[Reply]:
        async with opened as reply:
            normal = reply.status == 200 and upstream.quirks is not None
            yield NormalReply(reply, upstream.quirks, call.stream) if normal else reply  # pyright: ignore
