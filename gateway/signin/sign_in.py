"""Signing in with a password and, where there is one, a second factor. Knows no HTTP."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from zhengwu.db.engine import reader
from zhengwu.db.tables import User, now
from zhengwu.gateway.signin.errors import SecondFactorNeeded, SignInRefused
from zhengwu.gateway.signin.factor import Factors
from zhengwu.gateway.signin.lockout import Lockout
from zhengwu.gateway.signin.password import Passwords
from zhengwu.gateway.signin.sessions import Sessions
from zhengwu.gateway.tenancy.actions import AdminWrites
from zhengwu.gateway.tenancy.errors import BadName
from zhengwu.gateway.tenancy.names import user_name
from zhengwu.gateway.tenancy.roles import Actor

WRONG = "用户名、口令或动态码不正确，请核对后重试。"
NEEDED = "请输入动态码或恢复码。"


@dataclass(frozen=True)
class Attempt:
    """What somebody typed. `code` is a one-time code or a recovery code."""

    name: str
    password: str
    code: str | None = None


class SignIn:
    """Signs people in."""

    def __init__(
        self,
        engine: AsyncEngine,
        writes: AdminWrites,
        passwords: Passwords,
        lockout: Lockout,
        factors: Factors,
        sessions: Sessions,
    ) -> None:
        self._engine = engine
        self._writes = writes
        self._passwords = passwords
        self._lockout = lockout
        self._factors = factors
        self._sessions = sessions

    async def __call__(self, attempt: Attempt) -> str:
        """The cookie of a new session.

        Raises:
            LockedOut: the name has failed too often.
            SecondFactorNeeded: the password is right and a code is missing.
            SignInRefused: anything else is wrong; it never says what.
        """
        name = _name(attempt.name)
        await self._lockout.count(name or attempt.name[:64])
        user = await self._user(name) if name else None
        hashed = user.password if user and user.state == "active" else None
        if not await self._passwords.verify(hashed, attempt.password) or user is None:
            raise SignInRefused(WRONG)
        if user.totp_confirmed and not attempt.code:
            raise SecondFactorNeeded(NEEDED)
        cookie = await self._start(user.id, hashed, attempt.code)
        await self._lockout.forgive(user.name_key)
        return cookie

    async def _start(self, user_id: str, hashed: str | None, code: str | None) -> str:
        async with AsyncSession(self._engine) as session, session.begin():
            user = await session.get(User, user_id, with_for_update=True)
            # It may have been disabled or reset while the password was being verified.
            if user is None or user.state != "active" or user.password != hashed:
                raise SignInRefused(WRONG)
            if user.totp_confirmed and not await self._factors.use(session, user, code or ""):
                raise SignInRefused(WRONG)
            user.last_sign_in = now()
            cookie = await self._sessions.start(session, user.id, user.totp_confirmed)
            actor = Actor(f"user:{user.id}", user.role)
            await self._writes.record(session, actor, "sign_in", actor.id)
        return cookie

    async def _user(self, name: str) -> User | None:
        async with AsyncSession(reader(self._engine)) as session:
            return await session.scalar(select(User).where(User.name_key == name))


def _name(given: str) -> str | None:
    """The name that somebody may have; None where nobody can."""
    try:
        return user_name(given)
    except BadName:
        return None
