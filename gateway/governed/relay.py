"""An upstream's answer on its way out: whole, or event by event, past the meter. Opens nothing."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from zhengwu.gateway.governed.asked import Passage
from zhengwu.gateway.governed.grade import Restores
from zhengwu.gateway.governed.ports import Reservation
from zhengwu.models.errors import UpstreamCut, UpstreamFailed
from zhengwu.models.upstream import Reply
from zhengwu.models.wire import error_message

LARGEST_EVENT = 8 << 20
MAX_ERROR_BYTES = 64 * 1024
CUT = "上游的回答没有结束标记 [DONE] 就断开了，内容不完整，请重试。"


class Relayed:
    """An open answer that is no error. It is read once, with `whole` or with `chunks`."""

    def __init__(self, reply: Reply, passage: Passage) -> None:
        self._reply = reply
        self._passage = passage

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that concern the content."""
        return self._reply.headers

    @property
    def model(self) -> str:
        """The model's own name."""
        return self._passage.name

    @property
    def stream(self) -> bool:
        """Whether the request asked for a stream."""
        return self._passage.stream

    @property
    def grade(self) -> int:
        """The grade that the request was given; its answer has it, too."""
        return self._passage.grade

    @property
    def ended(self) -> bool:
        """Whether the answer has gone by to its end."""
        return self._passage.meter.done

    @property
    def reservation(self) -> Reservation | None:
        """What is held for it under its caller's limits."""
        return self._passage.reservation

    async def whole(self) -> bytes:
        """All of the body, at once."""
        body = b"".join([block async for block in self._reply.chunks()])
        self._passage.meter.whole(body)
        restore = self._restore
        return restore.whole(body) if restore else body

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes; of a stream, whole events.

        Raises:
            UpstreamCut: it stopped before its end.
        """
        return self._events() if self._passage.stream else self._at_once()

    @property
    def _restore(self) -> Restores | None:
        return self._passage.graded.restore if self._passage.graded else None

    async def _at_once(self) -> AsyncGenerator[bytes]:
        yield await self.whole()

    async def _events(self) -> AsyncGenerator[bytes]:
        meter, restore = self._passage.meter, self._restore
        blocks = self._reply.chunks()
        try:
            async for block in whole_events(restore.stream(blocks) if restore else blocks):
                if shown := meter.events(block):
                    yield shown
        except UpstreamCut:
            if not meter.done:  # after its end nothing is missing
                raise
        if not meter.done and not meter.error:
            raise UpstreamCut(CUT)


async def whole_events(blocks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """The same bytes cut where events end, so that nothing of ours lands inside one of them."""
    rest = b""
    async for block in blocks:
        if not rest and block.endswith(b"\n\n") and b"\r" not in block:
            yield block
            continue
        whole, mark, rest = (rest + block).replace(b"\r\n", b"\n").rpartition(b"\n\n")
        if mark:
            yield whole + mark
        if len(rest) > LARGEST_EVENT:
            raise UpstreamFailed("上游的事件流有一个事件超过 8 MiB，已中止。")
    if rest.strip():
        yield rest + b"\n\n"


async def must_be_ok(model: str, reply: Reply) -> None:
    """Turn an upstream's error answer into an error.

    Raises:
        UpstreamFailed: with the upstream's own message and status.
    """
    if reply.status < 400:
        return
    body = b""
    async for block in reply.chunks():
        body += block
        if len(body) > MAX_ERROR_BYTES:
            break
    told = (error_message(body) or "没有说明原因，请稍后重试")[:500]
    raise UpstreamFailed(f"模型“{model}”的服务返回错误（{reply.status}）：{told}", reply.status)
