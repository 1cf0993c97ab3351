"""The second factor of a user: set up, confirmed, used once each. Knows rows, not HTTP."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from zhengwu.db.tables import RecoveryCode, User, now
from zhengwu.gateway.signin import totp
from zhengwu.gateway.signin.errors import SignInRefused
from zhengwu.gateway.signin.sealed import Seal

WRONG_CODE = "动态码不正确。请核对手机时间后，输入新的动态码。"


class Factors:
    """Second factors, sealed with the key of this installation."""

    def __init__(self, seal: Seal, clock: Callable[[], datetime] = now) -> None:
        self._seal = seal
        self._clock = clock

    def begin(self, user: User) -> bytes:
        """Give `user` a new shared secret, which counts from when it is confirmed."""
        secret = totp.new_secret()
        user.totp, user.totp_confirmed = self._seal.close(secret, user.id), False
        user.totp_step = 0
        return secret

    async def confirm(self, session: AsyncSession, user: User, code: str) -> Sequence[str]:
        """Take the factor into use; gives recovery codes, shown once.

        Raises:
            SignInRefused: the code is not of the secret.
        """
        if not await self._take(session, user, code):
            raise SignInRefused(WRONG_CODE)
        user.totp_confirmed = True
        await session.execute(delete(RecoveryCode).where(RecoveryCode.user == user.id))
        codes = totp.recovery_codes()
        session.add_all(RecoveryCode(digest=_digest(user.id, c), user=user.id) for c in codes)
        return codes

    async def use(self, session: AsyncSession, user: User, code: str) -> bool:
        """Whether `code` proves the factor. It never does again."""
        plain = code.strip().replace(" ", "")
        if len(plain) == totp.DIGITS:
            return await self._take(session, user, plain)
        if len(plain) > 64:
            return False
        spent = update(RecoveryCode).where(
            RecoveryCode.digest == _digest(user.id, plain), RecoveryCode.used.is_(None)
        )
        done = await session.execute(spent.values(used=self._clock()).returning(RecoveryCode.user))
        return done.first() is not None

    async def _take(self, session: AsyncSession, user: User, code: str) -> bool:
        """Use up the time step of `code`; of two at once, one gets it."""
        if user.totp is None:
            return False
        secret = self._seal.open(user.totp, user.id)
        step = totp.step_of(secret, code.strip(), self._clock().timestamp())
        if step is None:
            return False
        taken = update(User).where(User.id == user.id, User.totp_step < step)
        done = await session.execute(taken.values(totp_step=step).returning(User.id))
        return done.first() is not None


def _digest(user_id: str, code: str) -> str:
    """A code is 80 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(f"{user_id}:{code.lower()}".encode("utf-8", "replace")).hexdigest()
