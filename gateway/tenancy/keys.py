"""API keys: made, listed, rotated and revoked. Only SHA-256 digests are kept.

Knows the table of keys and who may change it; knows nothing of HTTP. `callers.py` checks keys.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from zhengwu.db.engine import reader
from zhengwu.db.tables import ApiKey, now
from zhengwu.db.tables.base import in_utc
from zhengwu.gateway.governed.caller import LimitKind
from zhengwu.gateway.tenancy.actions import AdminTrail, AdminWrites
from zhengwu.gateway.tenancy.bounds import Bounds, check_fits, check_values, narrow
from zhengwu.gateway.tenancy.changes import TENANCY, Changes
from zhengwu.gateway.tenancy.errors import BadValue, Forbidden, UnknownKey
from zhengwu.gateway.tenancy.names import unit_name
from zhengwu.gateway.tenancy.roles import THREE, Actor, Role, check, host_actor, load_roles
from zhengwu.gateway.tenancy.times import maybe_utc
from zhengwu.gateway.tenancy.tree import ROOT, bounds_of, ids, key_bounds, path_to, under

PREFIX = "zw-"
FIRST_ADMIN = "first-admin"
MAX_OVERLAP = timedelta(days=30)
MAX_PAGE = 200


@dataclass(frozen=True)
class KeyRecord:
    """What may be shown of a key."""

    id: str
    name: str
    role: str
    tenant: str
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    last_used: datetime | None
    old_until: datetime | None
    grade_ceiling: int | None
    models: tuple[str, ...] | None
    limits: Mapping[LimitKind, int]


@dataclass(frozen=True)
class NewKey:
    """What a key is made from. Its bounds may not exceed its tenant's."""

    name: str
    role: str = "developer"
    tenant: str = ROOT
    expires: datetime | None = None
    bounds: Bounds = Bounds()


def new_secret() -> str:
    """A fresh key: `zw-` and 32 random bytes."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a key. It is 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiKeys:
    """The keys of one database."""

    def __init__(self, writes: AdminWrites, clock: Callable[[], datetime] = now) -> None:
        self._writes = writes
        self._clock = clock

    async def create(self, actor: Actor, new: NewKey) -> tuple[str, KeyRecord]:
        """Make a key. The first value is the key itself, and cannot be had again.

        Raises:
            TenancyError: the tenant, name, role, time or bounds do not fit, or it is forbidden.
        """
        name, _ = unit_name(new.name)
        _may_hold(actor, new.role)
        if new.expires is not None and new.expires <= self._clock():
            raise BadValue("密钥的到期时间已过，请填写今后的时间。")
        check_values(new.bounds)
        secret = new_secret()
        async with self._writes.change(TENANCY) as session:
            path = await path_to(session, new.tenant)
            check(actor, "key.create", ids(path))
            check_fits(new.bounds, narrow(bounds_of(row) for row in path))
            row = _row(uuid4().hex[:12], secret, name, new, self._clock())
            session.add(row)
            record = _record(row)
            await self._writes.record(session, actor, "key.create", f"key:{row.id}", None, record)
        return secret, record

    async def list(
        self, actor: Actor, tenant: str = ROOT, limit: int = MAX_PAGE, after: str | None = None
    ) -> list[KeyRecord]:
        """Keys of `tenant` and everything under it, by id; `after` is an id to go on from."""
        async with self._writes.read() as session:
            check(actor, "key.read", ids(await path_to(session, tenant)))
            query = select(ApiKey).where(ApiKey.tenant.in_(under(tenant))).order_by(ApiKey.id)
            if after is not None:
                query = query.where(ApiKey.id > after)
            return [_record(row) for row in await session.scalars(query.limit(limit))]

    async def revoke(self, actor: Actor, key_id: str) -> KeyRecord:
        """Revoke a key: the next request with it is refused. Twice changes nothing.

        Raises:
            UnknownKey: no key has this id.
        """
        async with self._writes.change(TENANCY) as session:
            row = await _found(session, actor, "key.revoke", key_id)
            before = _record(row)
            row.revoked = row.revoked or self._clock()
            after = _record(row)
            await self._writes.record(session, actor, "key.revoke", f"key:{key_id}", before, after)
        return after

    async def rotate(self, actor: Actor, key_id: str, overlap: timedelta) -> tuple[str, KeyRecord]:
        """Give a key a new secret; the old one is good for `overlap`, one before that no more.

        Raises:
            UnknownKey: no key has this id.
            BadValue: the key is revoked, or the overlap is negative or over 30 days.
        """
        if not timedelta(0) <= overlap <= MAX_OVERLAP:
            raise BadValue("新旧密钥并用时间应为 0 至 30 天。")
        secret = new_secret()
        async with self._writes.change(TENANCY) as session:
            row = await _found(session, actor, "key.rotate", key_id)
            if row.revoked is not None:
                raise BadValue("密钥已被吊销，不能轮换，请新建密钥。")
            before = _record(row)
            row.old_digest, row.old_until = row.digest, self._clock() + overlap
            row.digest = digest(secret)
            after = _record(row)
            await self._writes.record(session, actor, "key.rotate", f"key:{key_id}", before, after)
        return secret, after


def _may_hold(actor: Actor, role: str) -> Role:
    """Refuse a role that no key may have, or that is not the actor's to give to one."""
    wanted = load_roles().get(role)
    if not wanted.by_key:
        raise BadValue(f"“{wanted.name}”只能由本人登录使用，不能发给密钥。")
    if role not in load_roles().get(actor.role).grants:
        raise Forbidden(f"{load_roles().get(actor.role).name}不能新建“{wanted.name}”的密钥。")
    return wanted


async def _found(session: AsyncSession, actor: Actor, action: str, key_id: str) -> ApiKey:
    row = await session.get(ApiKey, key_id)
    if row is None:
        check(actor, action)
        raise UnknownKey(f"没有编号为“{key_id[:40]}”的密钥，请用 zhengwu key list 查看。")
    check(actor, action, ids(await path_to(session, row.tenant)))
    return row


async def ensure_admin_key(engine: AsyncEngine, trail: AdminTrail) -> str | None:
    """The first administrator's key, if the database never had a key; else None.

    Its fixed id makes two processes that start together produce one key, not two.
    """
    async with AsyncSession(reader(engine)) as session:
        if await session.scalar(select(func.count()).select_from(ApiKey)):
            return None
    secret, writes = new_secret(), AdminWrites(engine, Changes(engine), trail)
    new = NewKey("首个管理员", THREE[0])
    try:
        async with writes.change(TENANCY) as session:
            row = _row(FIRST_ADMIN, secret, new.name, new, now())
            session.add(row)
            await writes.record(
                session, host_actor("start"), "key.create", f"key:{row.id}", None, _record(row)
            )
    except IntegrityError:
        return None
    return secret


def _row(key_id: str, secret: str, name: str, new: NewKey, created: datetime) -> ApiKey:
    return ApiKey(
        id=key_id,
        digest=digest(secret),
        old_digest=None,
        old_until=None,
        name=name,
        role=new.role,
        tenant=new.tenant,
        grade_ceiling=new.bounds.grade_ceiling,
        models=None if new.bounds.models is None else sorted(new.bounds.models),
        limits=dict(new.bounds.limits),
        created=created,
        expires=new.expires,
        revoked=None,
        last_used=None,
    )


def _record(row: ApiKey) -> KeyRecord:
    return KeyRecord(
        id=row.id,
        name=row.name,
        role=row.role,
        tenant=row.tenant,
        created=in_utc(row.created),
        expires=maybe_utc(row.expires),
        revoked=maybe_utc(row.revoked),
        last_used=maybe_utc(row.last_used),
        old_until=maybe_utc(row.old_until),
        grade_ceiling=row.grade_ceiling,
        models=None if row.models is None else tuple(row.models),
        limits=key_bounds(row).limits,
    )
