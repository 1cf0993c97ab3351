"""Passwords: the rules for new ones, and Argon2id. Knows no user.

Hashing takes tens of milliseconds and 64 MiB, so it happens in threads, few at a time.
"""

import asyncio
import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from zhengwu.gateway.signin.errors import WeakPassword

LEAST, MOST = 10, 128
LONG = 20
DISTINCT = 6
AT_ONCE = 2
ALPHABET = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without letters and digits that are mistaken for each other."""
GROUPS = 4


def check_rules(password: str, user: str) -> None:
    """Refuse a weak password.

    Raises:
        WeakPassword: names the rule.
    """
    if not LEAST <= len(password) <= MOST:
        raise WeakPassword(f"口令应为 {LEAST} 至 {MOST} 个字符。")
    kinds = {_kind(char) for char in password}
    if len(kinds) < 3 and len(password) < LONG:
        raise WeakPassword(
            f"口令应含大写字母、小写字母、数字、其他字符中的至少三种，或不少于 {LONG} 个字符。"
        )
    if len(set(password)) < DISTINCT:
        raise WeakPassword(f"口令中不同的字符应不少于 {DISTINCT} 个。")
    if user.casefold() in password.casefold():
        raise WeakPassword("口令不能包含用户名。")


def _kind(char: str) -> str:
    if char.isdecimal():
        return "digit"
    return "upper" if char.isupper() else "lower" if char.islower() else "other"


def first_password() -> str:
    """A random password to hand over, changed at the first sign-in. About 93 bits."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(GROUPS))
    return "-".join(groups)


class Passwords:
    """Hashes and verifies."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._free = asyncio.Semaphore(AT_ONCE)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The Argon2id hash of `password`."""
        async with self._free:
            return await asyncio.to_thread(self._hasher.hash, _normal(password))

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Whether `password` is right. With no hash to compare it takes as long, and is not."""
        if len(password) > MOST:
            password, hashed = "", None
        if hashed is None and self._nobody is None:
            self._nobody = await self.hash(secrets.token_hex(16))
        async with self._free:
            right = await asyncio.to_thread(
                self._verify, hashed or str(self._nobody), _normal(password)
            )
        return right and hashed is not None

    def _verify(self, hashed: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False


def _normal(password: str) -> bytes:
    """The same bytes however a keyboard composes (RFC 8265, section 4.2)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
