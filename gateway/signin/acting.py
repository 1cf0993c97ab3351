"""Who acts in an administrative request: the bearer key, or the session of the cookie.

Knows headers and cookies; what an actor may do is asked of `tenancy/roles.py`.
"""

from collections.abc import AsyncGenerator

from fastapi import Request
from starlette.responses import Response

from zhengwu.gateway.auth import bearer
from zhengwu.gateway.governed.ports import Authenticates
from zhengwu.gateway.reply import note
from zhengwu.gateway.signin.errors import CsrfRefused, SessionEnded
from zhengwu.gateway.signin.sessions import ENDED, LONGEST, Sessions, SignedIn, check_csrf
from zhengwu.gateway.tenancy.actions import AdminWrites
from zhengwu.gateway.tenancy.errors import Forbidden
from zhengwu.gateway.tenancy.roles import Actor

COOKIE = "zhengwu_session"
CSRF_HEADER = "x-csrf-token"
READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Person:
    """A FastAPI dependency: whoever is signed in, or a 401. A write needs the session's token."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def __call__(self, request: Request) -> SignedIn:
        """Check the cookie of `request`."""
        secret = request.cookies.get(COOKIE)
        if not secret:
            raise SessionEnded(ENDED)
        signed = await self._sessions.who(secret)
        note(request.scope, user=signed.user_id)
        if request.method not in READS:
            check_csrf(signed, request.headers.get(CSRF_HEADER))
        return signed


class Acting:
    """A FastAPI dependency: the actor. What it tries and may not do is written down."""

    def __init__(self, callers: Authenticates, sessions: Sessions, writes: AdminWrites) -> None:
        self._callers = callers
        self._person = Person(sessions)
        self._writes = writes

    async def __call__(self, request: Request) -> AsyncGenerator[Actor]:
        """Check the header or the cookie of `request`."""
        actor = await self._actor(request)
        try:
            yield actor
        except Forbidden:
            route = str(getattr(request.scope.get("route"), "path", "-"))
            await self._writes.refused(actor, request.method.lower()[:16], route)
            raise

    async def _actor(self, request: Request) -> Actor:
        header = request.headers.get("authorization")
        if header is None:
            return (await self._person(request)).actor
        caller = await self._callers.caller(bearer(header))
        note(request.scope, key=caller.key_id)
        return Actor(f"key:{caller.key_id}", caller.role, caller.tenant_path)


def set_cookie(request: Request, response: Response, secret: str) -> None:
    """Give the browser its session: no script reads it, and no other site sends it along."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(LONGEST.total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def same_site(request: Request) -> None:
    """Refuse a sign-in that another site's page sends: it would sign in as somebody else.

    Raises:
        CsrfRefused: the browser says that it comes from another site.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise CsrfRefused("登录请求来自其他网站，已拒绝。请从本平台的登录页面登录。")
