"""People: created, listed, disabled, reset, and given a role. One role each.

Who may do what to whom is asked of `roles.py`: nobody does anything to a holder of a role that
is not theirs to give, or to themselves. Knows nothing of signing in but that sessions end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from zhengwu.db.tables import RecoveryCode, SignInSession, User, now
from zhengwu.db.tables.base import in_utc
from zhengwu.gateway.signin.password import Passwords, first_password
from zhengwu.gateway.tenancy.actions import AdminWrites
from zhengwu.gateway.tenancy.changes import TENANCY
from zhengwu.gateway.tenancy.errors import BadValue, Forbidden, NameTaken, UnknownUser
from zhengwu.gateway.tenancy.names import unit_name, user_name
from zhengwu.gateway.tenancy.roles import HOST, THREE, Actor, check, check_grant
from zhengwu.gateway.tenancy.times import maybe_utc
from zhengwu.gateway.tenancy.tree import ROOT, ids, path_to, under

ACTIVE, DISABLED = "active", "disabled"
MAX_PAGE = 200


@dataclass(frozen=True)
class UserRecord:
    """What may be shown of a user."""

    id: str
    name: str
    display: str
    tenant: str
    role: str
    state: str
    must_change: bool
    second_factor: bool
    by_provider: bool
    created: datetime
    last_sign_in: datetime | None


@dataclass(frozen=True)
class NewUser:
    """What a user is made from."""

    name: str
    role: str
    tenant: str = ROOT
    display: str = ""


class Users:
    """The users of one database."""

    def __init__(self, writes: AdminWrites, passwords: Passwords) -> None:
        self._writes = writes
        self._passwords = passwords

    async def create(self, actor: Actor, new: NewUser) -> tuple[str, UserRecord]:
        """Make a user. The first value is a password for the first sign-in, shown once.

        Raises:
            TenancyError: name, role or tenant do not fit, or it is forbidden.
        """
        name = user_name(new.name)
        display = unit_name(new.display or new.name)[0]
        check_grant(actor, new.role)
        password = first_password()
        hashed = await self._passwords.hash(password)
        async with self._writes.change(TENANCY) as session:
            path = await path_to(session, new.tenant)
            check(actor, "user.create", ids(path))
            if await session.scalar(select(User.id).where(User.name_key == name)):
                raise NameTaken(f"用户名“{name}”已被使用，请换一个。")
            row = new_row(name, display, new.tenant, new.role, hashed)
            session.add(row)
            record = record_of(row)
            await self._writes.record(session, actor, "user.create", _target(row), None, record)
        return password, record

    async def get(self, actor: Actor, user_id: str) -> UserRecord:
        """One user, by id or name.

        Raises:
            UnknownUser: there is none.
        """
        async with self._writes.read() as session:
            return record_of(await _found(session, actor, "user.read", user_id))

    async def set_state(self, actor: Actor, user_id: str, state: str) -> UserRecord:
        """Disable a user, or let it in again; its sessions end.

        Raises:
            TenancyError: there is no such user or state, or it is forbidden.
        """
        if state not in {ACTIVE, DISABLED}:
            raise BadValue(f"没有状态“{state[:20]}”，可选：{ACTIVE}、{DISABLED}。")
        async with self._writes.change(TENANCY) as session:
            row = await _found(session, actor, "user.disable", user_id)
            _must_be_other(actor, row)
            check_grant(actor, row.role)
            before = record_of(row)
            row.state = state
            await self._changed(session, actor, "user.disable", row, before)
        return record_of(row)

    async def set_role(self, actor: Actor, user_id: str, role: str) -> UserRecord:
        """Give a user another role instead of the one it has; its sessions end.

        Raises:
            TenancyError: there is no such user or role, or it is forbidden.
        """
        async with self._writes.change(TENANCY) as session:
            row = await _found(session, actor, "role.grant", user_id)
            _must_be_other(actor, row)
            check_grant(actor, row.role)
            check_grant(actor, role)
            before = record_of(row)
            row.role = role
            await self._changed(session, actor, "role.grant", row, before)
        return record_of(row)

    async def reset(self, actor: Actor, user_id: str) -> tuple[str, UserRecord]:
        """Give a new first password and forget the second factor; sessions end.

        Raises:
            TenancyError: there is no such user, or it is forbidden.
        """
        password = first_password()
        hashed = await self._passwords.hash(password)
        async with self._writes.change(TENANCY) as session:
            row, before = await self._to_reset(session, actor, user_id)
            row.password, row.must_change = hashed, True
            await _forget_factor(session, row)
            await self._changed(session, actor, "user.reset", row, before)
        return password, record_of(row)

    async def reset_totp(self, actor: Actor, user_id: str) -> UserRecord:
        """Forget the second factor of a user; sessions end.

        Raises:
            TenancyError: there is no such user, or it is forbidden.
        """
        async with self._writes.change(TENANCY) as session:
            row, before = await self._to_reset(session, actor, user_id)
            await _forget_factor(session, row)
            await self._changed(session, actor, "user.reset", row, before)
        return record_of(row)

    async def list(
        self, actor: Actor, tenant: str = ROOT, limit: int = MAX_PAGE, after: str | None = None
    ) -> Sequence[UserRecord]:
        """Users of `tenant` and everything under it, by id; `after` is an id to go on from."""
        async with self._writes.read() as session:
            check(actor, "user.read", ids(await path_to(session, tenant)))
            query = select(User).where(User.tenant.in_(under(tenant))).order_by(User.id)
            if after is not None:
                query = query.where(User.id > after)
            return [record_of(row) for row in await session.scalars(query.limit(limit))]

    async def _to_reset(
        self, session: AsyncSession, actor: Actor, user_id: str
    ) -> tuple[User, UserRecord]:
        row = await _found(session, actor, "user.reset", user_id)
        _must_be_other(actor, row)
        if row.role in THREE:
            check(actor, "user.reset_admin")
        check_grant(actor, row.role)
        return row, record_of(row)

    async def _changed(
        self, session: AsyncSession, actor: Actor, action: str, row: User, before: UserRecord
    ) -> None:
        await session.execute(delete(SignInSession).where(SignInSession.user == row.id))
        await self._writes.record(session, actor, action, _target(row), before, record_of(row))


async def _found(session: AsyncSession, actor: Actor, action: str, user_id: str) -> User:
    row = await session.get(User, user_id[:64])
    if row is None:  # only then: a name may look like somebody's id
        row = await session.scalar(select(User).where(User.name_key == user_id[:64]))
    if row is None:
        check(actor, action)
        raise UnknownUser(f"没有用户“{user_id[:40]}”，请用 zhengwu user list 查看。")
    check(actor, action, ids(await path_to(session, row.tenant)))
    return row


def _must_be_other(actor: Actor, row: User) -> None:
    if actor.id == _target(row) and actor.role != HOST:
        raise Forbidden("不能对自己进行此操作，请由其他管理员办理。")


async def _forget_factor(session: AsyncSession, row: User) -> None:
    row.totp, row.totp_confirmed, row.totp_step = None, False, 0
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user == row.id))


def new_row(name: str, display: str, tenant: str, role: str, hashed: str | None) -> User:
    """The row of a user who has not signed in yet."""
    return User(
        id=uuid4().hex[:12],
        name=name,
        name_key=name,
        display=display,
        tenant=tenant,
        role=role,
        state=ACTIVE,
        password=hashed,
        must_change=hashed is not None,
        totp=None,
        totp_confirmed=False,
        totp_step=0,
        issuer=None,
        subject=None,
        created=now(),
        last_sign_in=None,
    )


def record_of(row: User) -> UserRecord:
    """What may be shown of a row."""
    return UserRecord(
        id=row.id,
        name=row.name,
        display=row.display,
        tenant=row.tenant,
        role=row.role,
        state=row.state,
        must_change=row.must_change,
        second_factor=row.totp_confirmed,
        by_provider=row.issuer is not None,
        created=in_utc(row.created),
        last_sign_in=maybe_utc(row.last_sign_in),
    )


def _target(row: User) -> str:
    return f"user:{row.id}"
