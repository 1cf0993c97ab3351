"""What somebody who is signed in changes about their own account. Knows no HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from zhengwu.db.tables import User
from zhengwu.gateway.signin import totp
from zhengwu.gateway.signin.errors import SessionEnded, SignInRefused, WeakPassword
from zhengwu.gateway.signin.factor import Factors
from zhengwu.gateway.signin.lockout import Lockout
from zhengwu.gateway.signin.password import Passwords, check_rules
from zhengwu.gateway.signin.sessions import ENDED, Sessions, SignedIn, end_all
from zhengwu.gateway.tenancy.actions import AdminWrites
from zhengwu.gateway.tenancy.changes import TENANCY
from zhengwu.gateway.tenancy.errors import Forbidden


@dataclass(frozen=True)
class FactorOffer:
    """A shared secret to put into an authenticator app: typed by hand, or as an address."""

    secret: str
    address: str


class Account:
    """Changes of one's own password and second factor. Each ends every other session."""

    def __init__(
        self,
        writes: AdminWrites,
        passwords: Passwords,
        factors: Factors,
        sessions: Sessions,
        lockout: Lockout,
    ) -> None:
        self._writes = writes
        self._passwords = passwords
        self._factors = factors
        self._sessions = sessions
        self._lockout = lockout

    async def change_password(self, signed: SignedIn, old: str, new: str) -> str:
        """Change the password; gives the cookie of a fresh session.

        Raises:
            SignInRefused: the old one is wrong.
            LockedOut: it was wrong too often.
            WeakPassword: the new one breaks a rule, or is the old one.
        """
        check_rules(new, signed.name)
        if new == old:
            raise WeakPassword("新口令不能与原口令相同。")
        async with self._writes.read() as session:
            user = await session.get(User, signed.user_id)
            hashed = user.password if user else None
        await self._lockout.count(signed.name)
        if hashed is None or not await self._passwords.verify(hashed, old):
            raise SignInRefused("原口令不正确。")
        fresh = await self._passwords.hash(new)
        async with self._writes.change(TENANCY) as session:
            user = await _own(session, signed)
            if user.password != hashed:
                raise SessionEnded(ENDED)
            user.password, user.must_change = fresh, False
            cookie = await self._again(session, signed, signed.strong, "password.change")
        await self._lockout.forgive(signed.name)
        return cookie

    async def begin_factor(self, signed: SignedIn) -> FactorOffer:
        """Offer a second factor.

        Raises:
            Forbidden: there is one, and this session did not show it.
        """
        async with self._writes.change(TENANCY) as session:
            user = await _own(session, signed)
            if user.password is None:
                raise Forbidden("统一身份认证用户的动态码由认证平台管理。")
            if user.must_change:
                raise Forbidden("请先修改首次登录口令。")
            if user.totp_confirmed:
                raise Forbidden("动态码已启用。如需更换，请管理员重置。")
            secret = self._factors.begin(user)
            await self._writes.record(session, signed.actor, "totp.begin", signed.actor.id)
        return FactorOffer(totp.written(secret), totp.address(secret, signed.name))

    async def confirm_factor(self, signed: SignedIn, code: str) -> tuple[str, Sequence[str]]:
        """Take the offered factor into use; gives a fresh cookie and recovery codes.

        Raises:
            SignInRefused: the code is wrong, or nothing was offered.
        """
        await self._lockout.count(signed.name)
        async with self._writes.change(TENANCY) as session:
            user = await _own(session, signed)
            if user.totp_confirmed:
                raise Forbidden("动态码已启用。如需更换，请管理员重置。")
            codes = await self._factors.confirm(session, user, code)
            cookie = await self._again(session, signed, True, "totp.confirm")
        await self._lockout.forgive(signed.name)
        return cookie, codes

    async def _again(
        self, session: AsyncSession, signed: SignedIn, strong: bool, action: str
    ) -> str:
        await end_all(session, signed.user_id)
        await self._writes.record(session, signed.actor, action, signed.actor.id)
        return await self._sessions.start(session, signed.user_id, strong)


async def _own(session: AsyncSession, signed: SignedIn) -> User:
    user = await session.get(User, signed.user_id, with_for_update=True)
    if user is None or user.state != "active":
        raise SessionEnded(ENDED)
    return user
