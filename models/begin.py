"""The beginning of an answer: from here on it is one, or it is a failure that may be had elsewhere.

A stream begins with its first event (comments and empty lines are none), any other answer with
its last byte. Knows the wire and how long is too long; knows no route.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from time import monotonic

import orjson

from zhengwu.models.errors import (
    DeadlinePassed,
    ModelError,
    UpstreamCut,
    UpstreamError,
    UpstreamFailed,
    UpstreamGarbled,
    UpstreamSlow,
)
from zhengwu.models.shape import CHAT
from zhengwu.models.sse import DONE, Ending, SseParser
from zhengwu.models.upstream import Call, Opens, Reply, Upstream
from zhengwu.models.verdict import judge, told_in

ENDS_WITH_DONE = frozenset({CHAT, "completions"})
ANSWERS_IN_JSON = ENDS_WITH_DONE | {"embeddings", "rerank", "score", "responses"}
LONGEST_REFUSAL = 64 << 10
LONGEST_ANSWER = 64 << 20
PARSED_ANSWER = 1 << 20
"""An answer up to here is parsed to see that it is whole; of a longer one only the ends."""
STREAMS = ("text/event-stream", "application/octet-stream", "")


@dataclass
class StartedReply:
    """An answer that has begun. `finished` once it was read to its proper end."""

    reply: Reply
    upstream: Upstream
    first: bytes
    rest: AsyncIterator[bytes] | None = None
    ending: Ending | None = None
    finished: bool = False
    failure: ModelError | None = None

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that concern the content."""
        return self.reply.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, from its first byte.

        Raises:
            UpstreamCut: it stopped before its end.
            UpstreamFailed: an error came in the middle of it.
        """
        try:
            if self.first:
                self._look(self.first)
                yield self.first
            if self.rest is not None:
                async for block in self.rest:
                    self._look(block)
                    yield block
            if self.ending and not self.ending.reached:
                raise UpstreamCut("上游的回答没有结束标记 [DONE] 就断开了，内容不完整")
            self.finished = True
        except UpstreamError as error:
            self.failure = error
            raise

    def _look(self, block: bytes) -> None:
        if self.ending is None:
            return
        for event in self.ending.feed(block):
            if failure := judge(200, {}, event.data, self.upstream):
                raise failure
            if event.kind == "error":
                raise UpstreamFailed(f"上游“{self.upstream.name}”报告错误")


class Begun:
    """Opens calls whose answers have begun, around an `Opens` that gives them as they come."""

    def __init__(self, opens: Opens) -> None:
        """`opens` connects."""
        self._opens = opens

    @asynccontextmanager
    async def open(self, upstream: Upstream, call: Call) -> AsyncGenerator[StartedReply]:
        """Open the call and wait for the beginning of its answer.

        Raises:
            UpstreamFailed, UpstreamCut: the answer is a failure, or ended before it began.
            UpstreamSlow: it did not begin within the patience of the route.
            DeadlinePassed: it did not begin before the deadline of the call.
        """
        began = monotonic()
        wait_s = call.patience.first_byte_s
        left_s = None if call.deadline is None else call.deadline - began
        if wait_s is None and left_s is None:
            async with self._opens.open(upstream, call) as reply:
                yield _note(await _start(reply, upstream, call), call, began)
            return
        by_deadline = left_s is not None and (wait_s is None or left_s <= wait_s)
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(left_s if by_deadline else wait_s):
                    reply = await stack.enter_async_context(self._opens.open(upstream, call))
                    started = await _start(reply, upstream, call)
            except TimeoutError as error:
                if by_deadline:
                    raise DeadlinePassed("请求已超过时限，未能在时限内得到回答") from error
                told = f"上游“{upstream.name}”在 {wait_s:g} 秒内没有开始回答"
                raise UpstreamSlow(told) from error
            yield _note(started, call, began)


def _note(started: StartedReply, call: Call, began: float) -> StartedReply:
    if trial := call.attempts.of(started.upstream):
        trial.first_byte_s = monotonic() - began
    return started


async def _start(reply: Reply, upstream: Upstream, call: Call) -> StartedReply:
    if reply.status >= 400:
        body = await _read(reply, LONGEST_REFUSAL, upstream)
        if failure := judge(reply.status, reply.headers, body, upstream):
            raise failure
        return StartedReply(reply, upstream, body, finished=True)
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if call.stream:
        return await _stream(reply, upstream, call, kind)
    if call.path in ANSWERS_IN_JSON:
        body = await _read(reply, LONGEST_ANSWER, upstream)
        _must_be_json(body, kind, reply, upstream)
        return StartedReply(reply, upstream, body, finished=True)
    chunks = reply.chunks()
    first = await anext(chunks, b"")
    if not first:
        raise UpstreamCut(f"上游“{upstream.name}”没有返回任何内容")
    return StartedReply(reply, upstream, first, chunks)


async def _stream(reply: Reply, upstream: Upstream, call: Call, kind: str) -> StartedReply:
    """Wait for the first event, which must be neither an error nor the end."""
    if kind not in STREAMS:
        body = await _read(reply, LONGEST_REFUSAL, upstream)
        raise judge(200, reply.headers, body, upstream) or UpstreamGarbled(
            f"上游“{upstream.name}”应返回事件流，实际返回的类型是“{kind[:80]}”"
        )
    parser, chunks, first = SseParser(), reply.chunks(), b""
    async for block in chunks:
        first = (
            (first + block)[-LONGEST_REFUSAL:] if len(first) > LONGEST_REFUSAL else first + block
        )
        events = parser.feed(block)
        if not events:
            first = first[-LONGEST_REFUSAL:]  # comments, while it is being worked on
            continue
        event = events[0]
        if event.data == DONE:
            break
        if failure := judge(200, reply.headers, event.data, upstream):
            raise failure
        if event.kind == "error":
            raise UpstreamFailed(f"上游“{upstream.name}”报告错误")
        _must_parse(event.data, upstream)
        quirks = upstream.quirks
        ends = call.path in ENDS_WITH_DONE and (quirks is None or quirks.done)
        return StartedReply(reply, upstream, first, chunks, Ending() if ends else None)
    raise UpstreamCut(f"上游“{upstream.name}”没有返回任何内容")


async def _read(reply: Reply, longest: int, upstream: Upstream) -> bytes:
    blocks: list[bytes] = []
    size = 0
    async for block in reply.chunks():
        blocks.append(block)
        size += len(block)
        if size > longest:
            raise UpstreamGarbled(f"上游“{upstream.name}”的回答超过 {longest >> 10} KiB，已中止")
    return b"".join(blocks)


def _must_be_json(body: bytes, kind: str, reply: Reply, upstream: Upstream) -> None:
    if not body.strip():
        raise UpstreamCut(f"上游“{upstream.name}”没有返回任何内容")
    if "html" in kind or "xml" in kind or "event-stream" in kind:
        raise UpstreamGarbled(f"上游“{upstream.name}”应返回 JSON，实际返回的类型是“{kind[:80]}”")
    if len(body) > PARSED_ANSWER:
        if not (body.lstrip()[:1] == b"{" and body.rstrip()[-1:] == b"}"):
            raise UpstreamGarbled(f"上游“{upstream.name}”返回的 JSON 不完整")
        return
    fields = _must_parse(body, upstream)
    if told_in(fields):
        raise judge(200, reply.headers, body, upstream) or UpstreamFailed("上游报告错误")


def _must_parse(data: bytes | str, upstream: Upstream) -> object:
    try:
        fields: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UpstreamGarbled(f"上游“{upstream.name}”返回的不是合法的 JSON") from error
    if not isinstance(fields, dict):
        raise UpstreamGarbled(f"上游“{upstream.name}”返回的不是 JSON 对象")
    return fields
