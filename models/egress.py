"""The only code that opens a connection to a model's upstream; it checks the data grade there.

No retry, fallback or option of a client can go round it, because nothing else connects. It
knows grades, addresses and HTTP; it knows nothing of prompts, routes or who asks.
"""

import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from zhengwu.models.addresses import PoolAddresses
from zhengwu.models.clearance import Way, address_of, decide, off_pool
from zhengwu.models.errors import (
    RedirectRefused,
    UpstreamCut,
    UpstreamDown,
    UpstreamKeyMissing,
)
from zhengwu.models.upstream import Call, Patience, Upstream

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
"""Family, kind, protocol, canonical name, and (host, port, …), as `socket.getaddrinfo` has it."""
PASSED_HEADERS = ("x-request-id", "traceparent", "tracestate")
KEPT_HEADERS = ("content-type", "retry-after", "date", "x-request-id", "content-disposition")


@dataclass
class _Noted:
    """What was noted about one request."""

    connected: bool = False
    """A connection was opened for it; else it went over one that was open already."""


_NOTED: ContextVar[_Noted | None] = ContextVar("_NOTED", default=None)


def _make_socket(address: AddressInfo) -> socket.socket:
    """Make the socket for one address, the last moment before it connects."""
    noted = _NOTED.get()
    if noted is not None:
        noted.connected = True
    return socket.socket(*address[:3])


class _PoolResolver(AbstractResolver):
    """Resolves a name, and refuses it unless every address is on the list."""

    def __init__(self, pool: PoolAddresses) -> None:
        self._pool = pool
        self._resolver = aiohttp.ThreadedResolver()
        self._vouched: dict[tuple[str, int], frozenset[str]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if self._pool.has_name(host, port):
            # Only what the name means now: an address it once had is no longer its own.
            self._vouched[host, port] = frozenset(each["host"] for each in found)
        elif not found or not all(self._pool.has_address(each["host"], port) for each in found):
            raise off_pool(host, port)
        return found

    def make_socket(self, address: AddressInfo) -> socket.socket:
        """Make the socket for one address, the last moment before it connects."""
        host, port, *_ = address[4]
        known = self._pool.has_address(str(host), int(port))
        if not known and not self._is_vouched(str(host), int(port)):
            raise off_pool(str(host), int(port))
        return _make_socket(address)

    def _is_vouched(self, address: str, port: int) -> bool:
        return any(
            address in addresses for (_, at), addresses in self._vouched.items() if at == port
        )

    async def close(self) -> None:
        await self._resolver.close()


@dataclass(frozen=True)
class HttpReply:
    """An open answer over HTTP."""

    response: aiohttp.ClientResponse
    upstream: Upstream

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that concern the content; nothing about the connection."""
        return {k: v for k in KEPT_HEADERS if (v := self.response.headers.get(k)) is not None}

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            UpstreamCut: the connection broke, or went silent.
        """
        try:
            async for block in self.response.content.iter_any():
                yield block
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UpstreamCut(f"上游“{self.upstream.name}”中途断开：{_why(error)}") from error


class Egress:
    """Connects to upstreams, on kept-alive connections. Use it as an async context manager.

    Connections for the pool and for the outside are kept apart, so one that was opened for
    public data is never used again for data that must stay on the pool.
    """

    def __init__(
        self,
        pool: Sequence[str] = ("127.0.0.1",),
        keys: Mapping[str, str] | None = None,
        connect_timeout_s: float = 5.0,
        silence_timeout_s: float = 300.0,
        connections: int = 4096,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare; the first call connects.

        Args:
            pool: the security administrator's address list, see `addresses.py`.
            keys: where the variables named by `Upstream.key_env` are looked up.
            connect_timeout_s: how long a connection may take to open.
            silence_timeout_s: how long an upstream may say nothing.
            connections: how many connections are open at once, each way.
            trust: whom to believe at the other end of https; None is the system's list.
        """
        self._pool = PoolAddresses(pool)
        self._keys = keys or {}
        self._connections = connections
        self._trust = trust
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=connect_timeout_s, sock_read=silence_timeout_s
        )
        self._by_patience: dict[Patience, aiohttp.ClientTimeout] = {Patience(): self._timeout}
        self._lines: dict[tuple[bool, bool], _Line] = {}
        self._retired: set[_Line] = set()

    async def __aenter__(self) -> "Egress":
        """Return this egress."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        lines = [*self._lines.values(), *self._retired]
        self._lines, self._retired = {}, set()
        for line in lines:
            await line.session.close()

    async def use_pool(self, entries: Sequence[str]) -> None:
        """Go by this address list from now on.

        No connection to the pool that is open now is used for another call, since its address may
        not be on the list any more; calls that are being answered go on to their end.

        Raises:
            SettingsError: an entry cannot be read; the list in force stays.
        """
        self._pool = PoolAddresses(entries)
        lines = [self._lines.pop(way) for way in list(self._lines) if way[0]]
        self._retired.update(lines)
        for line in lines:
            await self._let_go(line)

    @asynccontextmanager
    async def open(self, upstream: Upstream, call: Call) -> AsyncGenerator[HttpReply]:
        """Open one call; leaving the context, for whatever reason, ends it at the upstream.

        Raises:
            EgressRefused: the grade may not go there, or the upstream wanted to redirect.
            UpstreamDown: it could not be reached, or did not answer.
            UpstreamKeyMissing: its key is not set.
            UpstreamCut: raised while reading, when it stopped in the middle.
        """
        url = address_of(upstream, call.path)
        way = decide(call.grade, url, upstream, self._pool)
        headers = self._headers(upstream, call, way)
        response, line = await self._send(url, way != "outside", upstream, call, headers)
        try:
            if 300 <= response.status < 400:
                place = response.headers.get("Location", "别处")[:100]
                raise RedirectRefused(
                    f"上游“{upstream.name}”要求转到 {place}，已拒绝；请把最终地址登记为上游"
                )
            yield HttpReply(response, upstream)
        finally:
            if not response.content.at_eof():
                response.close()
            response.release()
            line.calls -= 1
            await self._let_go(line)

    async def _send(
        self, url: URL, on_pool: bool, upstream: Upstream, call: Call, headers: Mapping[str, str]
    ) -> "tuple[aiohttp.ClientResponse, _Line]":
        """Send the request; once more, on a new connection, if an old one turned out closed.

        A server may close an idle connection at the moment we use it (llama.cpp even announces
        keep-alive and closes). Nothing was answered then, so nothing is done twice for a reader.
        """
        for fresh in (False, True):
            noted, line = _Noted(), self._line(on_pool, fresh)
            _NOTED.set(noted)
            line.calls += 1
            sent = False
            try:
                response = await line.session.request(
                    call.method,
                    url,
                    data=call.body if call.method != "GET" else None,
                    headers=headers,
                    allow_redirects=False,
                    timeout=self._timeout_of(call.patience),
                )
                sent = True
                return response, line
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                stale = isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError)
                stale = stale or type(error) is aiohttp.ClientOSError
                if stale and not noted.connected and not fresh:
                    continue
                raise UpstreamDown(
                    f"连不上上游“{upstream.name}”（{url.host}:{url.port}）：{_why(error)}"
                ) from error
            finally:
                if not sent:
                    line.calls -= 1
                    await self._let_go(line)
        raise UpstreamDown(f"连不上上游“{upstream.name}”（{url.host}:{url.port}）")

    def _timeout_of(self, patience: Patience) -> aiohttp.ClientTimeout:
        """The time limits of a call: the route's where it has some, else ours."""
        plain = Patience(patience.connect_s, None, patience.silence_s)
        if plain not in self._by_patience:
            self._by_patience[plain] = aiohttp.ClientTimeout(
                total=None,
                sock_connect=patience.connect_s or self._timeout.sock_connect,
                sock_read=patience.silence_s or self._timeout.sock_read,
            )
        return self._by_patience[plain]

    async def _let_go(self, line: "_Line") -> None:
        """Close a retired line that no call is on."""
        if line in self._retired and not line.calls:
            self._retired.discard(line)
            await line.session.close()

    def _line(self, on_pool: bool, fresh: bool) -> "_Line":
        """Return the line for one way out; `fresh` ones never use a connection twice."""
        if (on_pool, fresh) not in self._lines:
            guard = _PoolResolver(self._pool) if on_pool else None
            connector = aiohttp.TCPConnector(
                limit=self._connections,
                ssl=self._trust or True,
                resolver=guard or aiohttp.ThreadedResolver(),
                socket_factory=guard.make_socket if guard else _make_socket,
                use_dns_cache=not on_pool,
                force_close=fresh,
                # Shorter than the servers' own (uvicorn and llama.cpp: 5 s).
                keepalive_timeout=None if fresh else 4,
            )
            session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,  # a proxy would be an address that nobody checked
            )
            self._lines[on_pool, fresh] = _Line(session)
        return self._lines[on_pool, fresh]

    def _headers(self, upstream: Upstream, call: Call, way: Way) -> dict[str, str]:
        # A client chose these, and no detector has read them: they stay on the pool.
        passed = {k.lower(): v for k, v in call.headers.items()} if way != "outside" else {}
        headers = {k: v for k in PASSED_HEADERS if (v := passed.get(k))}
        headers["Content-Type"] = call.content_type
        headers["Accept"] = "text/event-stream" if call.stream else "application/json"
        if upstream.key_env:
            key = self._keys.get(upstream.key_env)
            if not key:
                raise UpstreamKeyMissing(
                    f"上游“{upstream.name}”需要密钥，请设置环境变量 {upstream.key_env}"
                )
            headers["Authorization"] = f"Bearer {key}"
        return headers


@dataclass(eq=False)
class _Line:
    """Kept-alive connections of one way out, and how many calls are on them."""

    session: aiohttp.ClientSession
    calls: int = 0


def _why(error: BaseException) -> str:
    return str(error) or type(error).__name__
