"""The one client for every outgoing connection that is not to a model.

Weights, webhooks, site maps, sign-in and notices go through here with a purpose and a grade.
Knows which purposes may leave and under which limits; knows nothing of what is fetched.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import aiohttp
from yarl import URL

from zhengwu.errors import OutboundError


@dataclass(frozen=True)
class Purpose:
    """Why a connection may leave, and the highest grade it may carry."""

    name: str
    highest_grade: int
    redirects: bool = True


PURPOSES: Mapping[str, Purpose] = {
    "weights": Purpose("weights", 1),
    "self": Purpose("self", 4, redirects=False),
    "pool": Purpose("pool", 1),
    "telemetry": Purpose("telemetry", 1),
    "tool": Purpose("tool", 3, redirects=False),
    "sign_in": Purpose("sign_in", 1, redirects=False),
}
"""`self` is the stack asking itself on the loopback; `pool` asks another pool whether it works;
`tool` asks a department's service for an assistant, to listed hosts and by the tool's grade;
`sign_in` asks the provider of identities."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Outbound:
    """A client for one purpose. Use it as an async context manager.

    Raises:
        OutboundError: the purpose is unknown, or the grade may not leave for it.
    """

    def __init__(self, purpose: str, grade: int, timeout_s: float = 10.0) -> None:
        if purpose not in PURPOSES:
            raise OutboundError(f"未登记的外联用途“{purpose}”，可用：{'、'.join(PURPOSES)}")
        if not 1 <= grade <= PURPOSES[purpose].highest_grade:
            raise OutboundError(
                f"数据分级 {grade} 不得用于外联“{purpose}”"
                f"（最高 {PURPOSES[purpose].highest_grade} 级）"
            )
        self.purpose = purpose
        self._local = purpose == "self"
        self._redirects = PURPOSES[purpose].redirects
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=timeout_s, sock_read=timeout_s
        )
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session."""
        # A proxy named in the environment would carry `self` off the machine.
        self._session = aiohttp.ClientSession(timeout=self._timeout, trust_env=not self._local)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        if self._session:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def get(
        self, url: str, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """GET `url`; the answer's body is read by the caller. `self` follows no redirect.

        Raises:
            OutboundError: no answer came, or `self` would leave the machine.
        """
        async with self._request("GET", url, headers, None) as response:
            yield response

    @asynccontextmanager
    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """POST `body` to `url`, otherwise like `get`.

        Raises:
            OutboundError: as for `get`.
        """
        async with self._request("POST", url, headers, body) as response:
            yield response

    @asynccontextmanager
    async def _request(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes | None
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        if self._session is None:
            raise OutboundError("外联客户端尚未打开，请用 async with Outbound(...)")
        if self._local and _host(url) not in LOOPBACK:
            raise OutboundError(f"用途“self”只能访问本机，不能访问 {url}")
        try:
            async with self._session.request(
                method, url, headers=headers, data=body, allow_redirects=self._redirects
            ) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OutboundError(f"访问 {url} 失败：{error or type(error).__name__}") from error


def _host(url: str) -> str | None:
    try:
        return URL(url).host
    except ValueError as error:
        raise OutboundError(f"地址“{url}”无效，请检查后重试：{error}") from error
