"""One request of a caller on its way to a model, and what opens it there.

The translators of this folder know this seam only: who grades, limits, audits and forwards is
the governed path's business.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from zhengwu.gateway.governed.caller import Caller
from zhengwu.models.errors import UpstreamFailed
from zhengwu.models.sse import read_events
from zhengwu.models.upstream import Reply
from zhengwu.models.wire import error_message


@dataclass(frozen=True)
class Asked:
    """Who asks, and the least that its data counts as.

    Attributes:
        caller: Who pays, and whose rights bound it.
        request_id: Names it in the audit trail and at the upstream.
        declared: The header `X-Data-Grade` as it came.
        least_grade: What earlier turns or quoted knowledge carried.
        route: The path that the caller asked, for the records.
        session: The header `X-Session-ID` as it came.
        headers: Those of the caller that may go further.
    """

    caller: Caller
    request_id: str
    declared: str | None = None
    least_grade: int = 1
    route: str = ""
    session: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Opened:
    """An upstream's answer that is no error, and the grade the request was given."""

    reply: Reply
    grade: int

    async def whole(self) -> bytes:
        """All of the body."""
        return b"".join([block async for block in self.reply.chunks()])

    async def events(self) -> AsyncIterator[str]:
        """The data of each event of a stream, up to its end mark.

        Raises:
            UpstreamCut: it ended without the mark.
            UpstreamFailed: it told of an error.
        """
        async for event in read_events(self.reply.chunks()):
            if (message := error_message(event.data)) is not None:
                raise UpstreamFailed(f"上游报告错误：{message}")
            yield event.data


class Opens(Protocol):
    """Opens a request at whichever upstream may and can answer it."""

    def open(
        self, asked: Asked, path: str, body: bytes, stream: bool
    ) -> AbstractAsyncContextManager[Opened]:
        """Open `body`, whose `model` names the route; leaving the context ends it upstream.

        Raises:
            ZhengwuError: it may not go, or no upstream answered well.
        """
        ...
