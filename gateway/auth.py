"""Who is calling: the bearer key of a request. Knows the header; knows no table."""

from typing import Protocol

from fastapi import Request

from zhengwu.gateway.errors import KeyRefused
from zhengwu.gateway.keys import KeyRecord
from zhengwu.gateway.reply import note


class KeyCheck(Protocol):
    """Tells whether a key may be used now."""

    async def verify(self, secret: str) -> KeyRecord:
        """The record of `secret`, or KeyRefused."""
        ...


class RequireKey:
    """A FastAPI dependency: the caller's key, or a 401."""

    def __init__(self, keys: KeyCheck) -> None:
        self._keys = keys

    async def __call__(self, request: Request) -> KeyRecord:
        """Check the `Authorization` header of `request`."""
        record = await self._keys.verify(bearer(request.headers.get("authorization")))
        note(request.scope, key=record.id)
        return record


def bearer(header: str | None) -> str:
    """The key in an `Authorization` header.

    Raises:
        KeyRefused: the header is missing or of another kind.
    """
    scheme, _, secret = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise KeyRefused("缺少密钥，请在请求头中加入 Authorization: Bearer zw-…。")
    return secret.strip()
