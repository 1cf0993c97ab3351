"""API keys: made, listed, revoked and checked. Only SHA-256 digests are kept.

Knows the table of keys; knows nothing of HTTP.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from zhengwu.db.engine import reader
from zhengwu.db.tables import ApiKey, now
from zhengwu.gateway.errors import GatewayError, KeyRefused
from zhengwu.gateway.governed.caller import Caller

Role = Literal["admin", "app"]
ROLES: tuple[Role, ...] = ("admin", "app")
PREFIX = "zw-"
FIRST_ADMIN = "first-admin"


class UnknownKey(GatewayError):
    """No key of that id."""

    code = "unknown_key"


@dataclass(frozen=True)
class KeyRecord:
    """What may be shown of a key."""

    id: str
    name: str
    role: str
    created: datetime
    expires: datetime | None
    revoked: datetime | None


def new_secret() -> str:
    """A fresh key: `zw-` and 32 random bytes."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a key. It is 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiKeys:
    """The keys of one database."""

    def __init__(self, engine: AsyncEngine, clock: Callable[[], datetime] = now) -> None:
        self._engine = engine
        self._reader = reader(engine)
        self._clock = clock

    async def create(
        self, name: str, role: Role, expires: datetime | None = None, key_id: str | None = None
    ) -> tuple[str, KeyRecord]:
        """Make a key. The first value is the key itself, and cannot be had again."""
        secret = new_secret()
        row = ApiKey(
            id=key_id or uuid4().hex[:12],
            digest=digest(secret),
            name=name,
            role=role,
            created=self._clock(),
            expires=expires,
            revoked=None,
        )
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            async with session.begin():
                session.add(row)
        return secret, _record(row)

    async def list(self) -> list[KeyRecord]:
        """Every key, the oldest first."""
        async with AsyncSession(self._reader) as session:
            rows = await session.scalars(select(ApiKey).order_by(ApiKey.created, ApiKey.id))
            return [_record(row) for row in rows]

    async def revoke(self, key_id: str) -> KeyRecord:
        """Revoke a key: the next request with it is refused. Twice changes nothing.

        Raises:
            UnknownKey: no key has this id.
        """
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            async with session.begin():
                await session.execute(
                    update(ApiKey)
                    .where(ApiKey.id == key_id, ApiKey.revoked.is_(None))
                    .values(revoked=self._clock())
                )
                row = await session.get(ApiKey, key_id)
        if row is None:
            raise UnknownKey(f"没有编号为“{key_id}”的密钥，请用 zhengwu key list 查看。")
        return _record(row)

    async def verify(self, secret: str) -> KeyRecord:
        """The record of a key that may be used now.

        Raises:
            KeyRefused: the key is unknown, revoked or past its date.
        """
        return await self._usable(ApiKey.digest == digest(secret))

    async def usable(self, key_id: str) -> KeyRecord:
        """The record of a key by its id, like `verify`: for work that it asked for earlier."""
        return await self._usable(ApiKey.id == key_id)

    async def _usable(self, which: ColumnElement[bool]) -> KeyRecord:
        async with AsyncSession(self._reader) as session:
            row = await session.scalar(select(ApiKey).where(which))
        if row is None:
            raise KeyRefused("密钥无效，请核对后重试，或请管理员用 zhengwu key create 新建。")
        record = _record(row)
        if record.revoked is not None:
            raise KeyRefused("密钥已被吊销，请向管理员申请新的密钥。")
        if record.expires is not None and record.expires <= self._clock():
            raise KeyRefused("密钥已过期，请向管理员申请新的密钥。")
        return record

    async def caller(self, secret: str) -> Caller:
        """The caller behind a key.

        Raises:
            KeyRefused: the key is unknown, revoked or past its date.
        """
        record = await self.verify(secret)
        return Caller(key_id=record.id, name=record.name)


async def ensure_admin_key(engine: AsyncEngine) -> str | None:
    """The first admin key, if the database never had a key; else None.

    Its fixed id makes two processes that start together produce one key, not two.
    """
    async with AsyncSession(reader(engine)) as session:
        if await session.scalar(select(func.count()).select_from(ApiKey)):
            return None
    try:
        secret, _ = await ApiKeys(engine).create("首个管理员", "admin", key_id=FIRST_ADMIN)
    except IntegrityError:
        return None
    return secret


def _record(row: ApiKey) -> KeyRecord:
    return KeyRecord(
        id=row.id,
        name=row.name,
        role=row.role,
        created=_utc(row.created),
        expires=_utc(row.expires) if row.expires else None,
        revoked=_utc(row.revoked) if row.revoked else None,
    )


def _utc(value: datetime) -> datetime:
    """SQLite gives times back without their zone; they were stored as UTC."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)
