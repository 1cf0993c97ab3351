"""Sessions of people: an opaque cookie, of which only the digest is kept.

A session ends after a time without use, after a time in any case, at sign-out, and when anything
about its user changes that matters. Knows no HTTP.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from zhengwu.db.engine import reader
from zhengwu.db.tables import SignInSession, Tenant, User, now
from zhengwu.db.tables.base import in_utc
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.signin.errors import CsrfRefused, SessionEnded
from zhengwu.gateway.tenancy.bounds import Bounds
from zhengwu.gateway.tenancy.changes import DATABASE_DOWN
from zhengwu.gateway.tenancy.errors import AuthUnavailable
from zhengwu.gateway.tenancy.resolve import make_caller
from zhengwu.gateway.tenancy.roles import Actor, load_roles
from zhengwu.gateway.tenancy.tree import ids, path_to

IDLE, LONGEST = timedelta(minutes=30), timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)
ENDED = "登录已失效，请重新登录。"
SECRET_CHARS = 43


@dataclass(frozen=True)
class SignedIn:
    """A person with a session, as an actor and as a caller. `csrf` goes with every write."""

    user_id: str
    name: str
    actor: Actor
    caller: Caller
    csrf: str
    strong: bool
    must_change: bool


class Sessions:
    """The sessions of one database."""

    def __init__(
        self,
        engine: AsyncEngine,
        idle: timedelta = IDLE,
        longest: timedelta = LONGEST,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._engine = engine
        self._reader = reader(engine)
        self._idle, self._longest, self._clock = idle, longest, clock

    async def start(self, session: AsyncSession, user_id: str, strong: bool) -> str:
        """A new session of `user_id` in the transaction of `session`; gives the cookie."""
        secret, moment = secrets.token_urlsafe(32), self._clock()
        await session.execute(delete(SignInSession).where(SignInSession.ends <= moment))
        session.add(
            SignInSession(
                digest=digest(secret),
                user=user_id,
                strong=strong,
                created=moment,
                seen=moment,
                ends=moment + self._longest,
            )
        )
        return secret

    async def who(self, secret: str) -> SignedIn:
        """The person behind a cookie.

        Raises:
            SessionEnded: there is no such session any more, or the user is disabled.
            TenantSuspended: the user's unit is suspended.
            AuthUnavailable: the database is down.
        """
        if len(secret) != SECRET_CHARS:
            raise SessionEnded(ENDED)
        try:
            async with AsyncSession(self._reader) as session:
                row = await session.get(SignInSession, digest(secret))
                user = await session.get(User, row.user) if row else None
                if row is None or user is None or user.state != "active" or self._over(row):
                    raise SessionEnded(ENDED)
                found = _signed_in(user, await path_to(session, user.tenant), row.strong, secret)
            if self._clock() - in_utc(row.seen) >= SEEN_EVERY:
                await self._see(row.digest)
        except DATABASE_DOWN as error:
            raise AuthUnavailable("身份数据库暂时无法访问，请稍后重试。") from error
        return found

    def _over(self, row: SignInSession) -> bool:
        moment = self._clock()
        return moment >= in_utc(row.ends) or moment - in_utc(row.seen) >= self._idle

    async def _see(self, name: str) -> None:
        async with AsyncSession(self._engine) as session, session.begin():
            row = await session.get(SignInSession, name)
            if row is not None:
                row.seen = self._clock()

    async def end(self, secret: str) -> None:
        """Sign out. A session that is not there is no error."""
        async with self._engine.begin() as connection:
            await connection.execute(
                delete(SignInSession).where(SignInSession.digest == digest(secret))
            )


async def end_all(session: AsyncSession, user_id: str) -> None:
    """End every session of a user in the transaction of `session`."""
    await session.execute(delete(SignInSession).where(SignInSession.user == user_id))


def digest(secret: str) -> str:
    """What is stored of a cookie: it is 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def csrf_of(secret: str) -> str:
    """The token that goes with every write of a session; only who has the cookie can know it."""
    return hmac.digest(secret.encode("utf-8", "surrogatepass"), b"csrf", "sha256").hex()


def check_csrf(signed: SignedIn, given: str | None) -> None:
    """Refuse a write without the token of its session.

    Raises:
        CsrfRefused: the header is missing or of another session.
    """
    if not hmac.compare_digest(signed.csrf.encode(), (given or "").encode()):
        raise CsrfRefused("请求缺少有效的 X-CSRF-Token，请刷新页面后重试。")


def _signed_in(user: User, path: list[Tenant], strong: bool, secret: str) -> SignedIn:
    role = load_roles().get(user.role)
    complete = not user.must_change and (strong or not role.second_factor)
    name = f"user:{user.id}"
    return SignedIn(
        user_id=user.id,
        name=user.name,
        actor=Actor(name, user.role, ids(path), complete),
        caller=make_caller(name, name, user.name, user.role, path, Bounds(), user.id),
        csrf=csrf_of(secret),
        strong=strong,
        must_change=user.must_change,
    )
