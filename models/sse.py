"""Server-sent events out of bytes, however they were cut. Knows no JSON and no connection.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from zhengwu.models.errors import UpstreamCut, UpstreamFailed

DONE = "[DONE]"
DRAIN_S = 0.2
LONGEST_LINE = 8 << 20
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class SseEvent:
    """One event. `kind` is its `event:` field, "message" when there is none."""

    kind: str
    data: str


class SseParser:
    """Takes bytes in any pieces and gives back whole events."""

    def __init__(self) -> None:
        """Start at the beginning of a stream."""
        self._rest = b""
        self._data: list[str] = []
        self._kind = ""
        self._begun = False

    def feed(self, block: bytes) -> list[SseEvent]:
        r"""Return the events that `block` completes.

        Raises:
            UpstreamFailed: a line is longer than 8 MiB.
        """
        lines = (self._rest + block).splitlines(keepends=True)
        # A last line without "\n" is unfinished; one that ends in "\r" may become "\r\n".
        self._rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        if len(self._rest) > LONGEST_LINE:
            raise UpstreamFailed("上游的事件流有一行超过 8 MiB，已中止")
        events: list[SseEvent] = []
        for line in lines:
            if event := self._line(line.rstrip(b"\r\n")):
                events.append(event)
        return events

    def _line(self, raw: bytes) -> SseEvent | None:
        if not self._begun:
            self._begun, raw = True, raw.removeprefix(BOM)
        if not raw:
            return self._dispatch()
        name, _, value = raw.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._kind = value
        return None  # a comment (empty name), `id`, `retry` or an unknown field

    def _dispatch(self) -> SseEvent | None:
        data, kind = self._data, self._kind or "message"
        self._data, self._kind = [], ""
        return SseEvent(kind, "\n".join(data)) if data else None


async def read_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[SseEvent]:
    """Give every event up to `[DONE]`, which is not given.

    Raises:
        UpstreamCut: the stream ended without it.
    """
    parser = SseParser()
    async for block in chunks:
        for event in parser.feed(block):
            if event.data == DONE:
                await _drain(chunks)
                return
            yield event
    raise UpstreamCut("上游的回答没有结束标记 [DONE] 就断开了，内容不完整")


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read the little that may follow the end, so that the connection can be used again."""
    with contextlib.suppress(TimeoutError, UpstreamCut):
        async with asyncio.timeout(DRAIN_S):
            async for _ in chunks:
                pass


class Ending:
    """Tells whether a stream that passes by came to its end, taking apart only what it must."""

    def __init__(self) -> None:
        """Start at the beginning of a stream."""
        self.reached = False
        self._rest = b""

    def feed(self, block: bytes) -> list[SseEvent]:
        """Take the next bytes, and return the events that may tell of an error.

        Raises:
            UpstreamFailed: an event is longer than 8 MiB.
        """
        whole, self._rest = _whole_events(self._rest + block)
        if len(self._rest) > LONGEST_LINE:
            raise UpstreamFailed("上游的事件流有一个事件超过 8 MiB，已中止")
        if b"[DONE]" not in whole and b"error" not in whole:
            return []
        events = SseParser().feed(whole)
        self.reached = self.reached or any(event.data == DONE for event in events)
        return [event for event in events if "error" in event.data or event.kind == "error"]


def _whole_events(text: bytes) -> tuple[bytes, bytes]:
    for mark in (b"\n\n", b"\r\n\r\n"):
        at = text.rfind(mark)
        if at >= 0:
            return text[: at + len(mark)], text[at + len(mark) :]
    return b"", text
