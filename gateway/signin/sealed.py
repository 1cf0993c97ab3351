"""Seals secrets that must be read again (AES-256-GCM). Knows one key; knows no user.

The key comes from `ZHENGWU_SECRET_KEY`, or from a file of the home that is made at first use.
Several gateways on one database need the same variable.
"""

import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from zhengwu.gateway.signin.errors import SealBroken

NONCE = 12
FILE = "secret.key"


class Seal:
    """Seals and opens with one key."""

    def __init__(self, key: str) -> None:
        self._cipher = AESGCM(hashlib.sha256(key.encode()).digest())

    def close(self, secret: bytes, owner: str) -> bytes:
        """`secret`, readable only with this key and for this owner."""
        nonce = os.urandom(NONCE)
        return nonce + self._cipher.encrypt(nonce, secret, owner.encode())

    def open(self, sealed: bytes, owner: str) -> bytes:
        """What was sealed for `owner`.

        Raises:
            SealBroken: another key sealed it, or it was changed.
        """
        try:
            return self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], owner.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken(
                "动态码的密封无法解开。请核对各网关的 ZHENGWU_SECRET_KEY 是否一致，"
                "或请管理员用 zhengwu user reset-totp 重置。"
            ) from error


def seal_key(given: str | None, home: Path) -> str:
    """The key of this installation: the given one, or the file's, made at first use."""
    if given:
        return given
    path = home / FILE
    home.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
        try:
            os.link(fresh, path)  # two processes that start together keep one key
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text(encoding="ascii").strip()
