"""From a route's name to an upstream that answers: in order, failing over before the first byte.

Knows names, order and what counts as a failure; connecting and the data grade are `egress.py`'s.
Other policies (balancing, cooldown, budgets) wrap `Routes` or `Opens`; they are not flags here.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType

import orjson

from zhengwu.models.errors import (
    EgressRefused,
    ModelError,
    NoUpstream,
    UpstreamCut,
    UpstreamError,
    UpstreamFailed,
)
from zhengwu.models.sse import SseParser
from zhengwu.models.upstream import Call, Opens, Reply, Upstream
from zhengwu.models.wire import error_message

OUR_FAULT = frozenset({401, 402, 403, 404, 405})
"""Our account, address or name of the model is wrong: never shown as if it were the caller's."""
ITS_FAULT = frozenset({408, 425, 429, 500, 502, 503, 504, 529})


@dataclass(frozen=True)
class StartedReply:
    """An answer whose first bytes are here already."""

    reply: Reply
    first: bytes
    rest: AsyncIterator[bytes]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that concern the content."""
        return self.reply.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, from its first byte."""
        if self.first:
            yield self.first
        async for block in self.rest:
            yield block


class Router:
    """Tries a route's upstreams in order, each at most once."""

    def __init__(self, routes: Mapping[str, Sequence[Upstream]], opens: Opens) -> None:
        """`routes`: name → upstreams, first choice first. A repeated upstream counts once."""
        self._routes = MappingProxyType(
            {name: tuple({u.identity: u for u in ups}.values()) for name, ups in routes.items()}
        )
        self._opens = opens

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the routes."""
        return tuple(self._routes)

    @asynccontextmanager
    async def open(self, alias: str, call: Call) -> AsyncGenerator[StartedReply]:
        """Open `call` at the first upstream that answers; leaving the context closes it.

        Once a byte has come there is no going back: a later break is the caller's `UpstreamCut`.

        Raises:
            NoUpstream: there is no such route, or several upstreams failed (each is listed).
            EgressRefused: the grade may go to none of them.
            UpstreamError: the only upstream failed.
        """
        failures: list[tuple[Upstream, ModelError]] = []
        for upstream in self._upstreams(alias):
            async with AsyncExitStack() as stack:
                try:
                    opened = self._opens.open(upstream, _addressed(call, upstream))
                    reply = await stack.enter_async_context(opened)
                    started = await _start(reply, upstream, call)
                except (UpstreamError, EgressRefused) as error:
                    failures.append((upstream, error))
                    continue
                yield started
                return
        raise _failure(alias, failures)

    def _upstreams(self, alias: str) -> tuple[Upstream, ...]:
        found = self._routes.get(alias)
        if not found:
            raise NoUpstream(
                f"没有可用的模型“{alias}”，可用的有：{'、'.join(self._routes) or '（无）'}"
            )
        return found


def _addressed(call: Call, upstream: Upstream) -> Call:
    """Return the call with the upstream's own name of the model in its body."""
    if call.content_type != "application/json" or not call.body:
        return call
    try:
        body: object = orjson.loads(call.body)
    except orjson.JSONDecodeError as error:
        raise ModelError(f"请求体不是合法的 JSON：{error}") from error
    if not isinstance(body, dict):
        raise ModelError("请求体应为 JSON 对象")
    return replace(call, body=orjson.dumps({**body, "model": upstream.model}))


async def _start(reply: Reply, upstream: Upstream, call: Call) -> StartedReply:
    """Wait for the first bytes; an answer that is a failure until then may be had elsewhere."""
    chunks = reply.chunks()
    first = await anext(chunks, b"")
    if reply.status in OUR_FAULT | ITS_FAULT:
        status = 502 if reply.status in OUR_FAULT else reply.status
        message = error_message(first) or ""
        raise UpstreamFailed(f"上游返回 HTTP {reply.status} {message}".rstrip(), status)
    if reply.status == 200 and not first:
        raise UpstreamCut(f"上游“{upstream.name}”没有返回任何内容")
    if reply.status == 200 and call.stream:
        for event in SseParser().feed(first)[:1]:
            if (message := error_message(event.data)) is not None:
                raise UpstreamFailed(f"上游报告错误：{message}")
    return StartedReply(reply, first, chunks)


def _failure(alias: str, failures: Sequence[tuple[Upstream, ModelError]]) -> ModelError:
    if len(failures) == 1:
        return failures[0][1]
    listed = "；".join(f"{upstream.name}：{error}" for upstream, error in failures)
    if all(isinstance(error, EgressRefused) for _, error in failures):
        return EgressRefused(f"模型“{alias}”没有允许处理该分级数据的上游。{listed}")
    return NoUpstream(f"模型“{alias}”的所有上游都不可用。{listed}")
