"""Limits how often one address may ask the routes that need no key.

Kept in memory: this gateway's own view, for one process. Addresses are never written down.
"""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from zhengwu.gateway.auth import bearer
from zhengwu.gateway.errors import GatewayError, KeyRefused, TooManyRequests, from_error
from zhengwu.gateway.governed.ports import Authenticates
from zhengwu.gateway.reply import send_problem


@dataclass(frozen=True)
class Rule:
    """`burst` requests at once, and `per_minute` in the long run, for paths under `prefix`."""

    prefix: str
    per_minute: int
    burst: int


RULES = (
    Rule("/api/qa", 60, 60),
    Rule("/api/admin/sign-in", 30, 20),
    Rule("/api/admin/oidc", 60, 30),
    Rule("/api/", 600, 300),
)
MAX_ADDRESSES = 20_000


class Buckets:
    """Token buckets by name; the least recently used is forgotten beyond `max_names`."""

    def __init__(
        self, rule: Rule, clock: Callable[[], float], max_names: int = MAX_ADDRESSES
    ) -> None:
        self._rule = rule
        self._clock = clock
        self._max_names = max_names
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> int:
        """Take one token. 0 if there was one, else the seconds until there is."""
        rate = self._rule.per_minute / 60
        now = self._clock()
        tokens, seen = self._buckets.get(name, (float(self._rule.burst), now))
        tokens = min(float(self._rule.burst), tokens + (now - seen) * rate)
        allowed = tokens >= 1
        self._buckets[name] = (tokens - 1 if allowed else tokens, now)
        self._buckets.move_to_end(name)
        while len(self._buckets) > self._max_names:
            self._buckets.popitem(last=False)
        return 0 if allowed else math.ceil((1 - tokens) / rate)


class RateLimit:
    """Applies the first rule whose prefix fits. A caller with a valid key is not limited here."""

    def __init__(
        self,
        app: ASGIApp,
        callers: Authenticates,
        rules: Sequence[Rule] = RULES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._callers = callers
        self._rules = [(rule.prefix, Buckets(rule, clock)) for rule in rules]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path", "")
        rule = next((b for prefix, b in self._rules if path.startswith(prefix)), None)
        if scope["type"] != "http" or rule is None:
            await self._app(scope, receive, send)
            return
        try:
            await self._admit(scope, rule)
        except GatewayError as error:
            await send_problem(from_error(error), scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope, buckets: Buckets) -> None:
        given = Headers(scope=scope).get("authorization")
        if given is not None:
            try:
                await self._callers.caller(bearer(given))
                return
            except KeyRefused:
                self._take(scope, buckets)  # guessing keys is limited, too
                raise
        self._take(scope, buckets)

    @staticmethod
    def _take(scope: Scope, buckets: Buckets) -> None:
        wait = buckets.take(address_of(scope))
        if wait:
            raise TooManyRequests(f"请求过于频繁，请 {wait} 秒后再试。", wait)


def address_of(scope: Scope) -> str:
    """The caller's address; of an IPv6 address its /64, which is one household or office."""
    host = str((scope.get("client") or ("-",))[0])
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
