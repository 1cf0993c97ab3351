"""The security administrator's list of pool addresses: the newest edition is in force.

Until there is one, the settings' start value is. `models/addresses.py` says what an entry is.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from zhengwu.db.tables import PoolAddressList
from zhengwu.db.tables.base import in_utc
from zhengwu.errors import SettingsError
from zhengwu.gateway.tenancy.actions import AdminWrites
from zhengwu.gateway.tenancy.changes import ADDRESSES, Changes
from zhengwu.gateway.tenancy.errors import BadValue
from zhengwu.gateway.tenancy.roles import Actor, check
from zhengwu.models.addresses import PoolAddresses

LOG = logging.getLogger("zhengwu.gateway")
MOST, LONGEST = 1000, 300


class TakesPool(Protocol):
    """Whatever asks the list before it connects. `Egress` is the real one."""

    async def use_pool(self, entries: Sequence[str]) -> None:
        """Go by this list from now on."""
        ...


@dataclass(frozen=True)
class Edition:
    """One edition of the list. Number 0 is the settings' start value."""

    number: int
    entries: tuple[str, ...]
    actor: str
    created: datetime | None


class AddressBook:
    """The list of one database."""

    def __init__(self, writes: AdminWrites, start: Sequence[str]) -> None:
        self._writes = writes
        self._start = Edition(0, tuple(start), "settings", None)

    async def in_force(self) -> Edition:
        """The edition in force."""
        async with self._writes.read() as session:
            return await self._newest(session)

    async def read(self, actor: Actor) -> Edition:
        """The edition in force, for who may see it.

        Raises:
            Forbidden: the role may not.
        """
        check(actor, "addresses.read")
        return await self.in_force()

    async def replace(self, actor: Actor, entries: Sequence[str], seen: int) -> Edition:
        """Put a new list in force; `seen` is the number of the edition it was made from.

        Raises:
            Forbidden: the role may not.
            BadValue: an entry cannot be read, there are too many, or somebody was quicker.
        """
        check(actor, "addresses.change")
        _check(entries)
        async with self._writes.change(ADDRESSES) as session:
            before = await self._newest(session)
            if before.number != seen:
                raise BadValue("地址表已被他人修改，请刷新后核对再提交。")
            row = PoolAddressList(entries=list(entries), actor=actor.id)
            session.add(row)
            await session.flush()
            after = _edition(row)
            target = f"addresses:{row.id}"
            await self._writes.record(session, actor, "addresses.change", target, before, after)
        return after

    async def _newest(self, session: AsyncSession) -> Edition:
        query = select(PoolAddressList).order_by(PoolAddressList.id.desc()).limit(1)
        row = await session.scalar(query)
        return self._start if row is None else _edition(row)


async def follow(book: AddressBook, changes: Changes, egress: TakesPool) -> None:
    """Make `egress` go by the list, now and after every change."""
    taken = -1

    async def take() -> None:
        nonlocal taken
        edition = await book.in_force()
        if edition.number < taken:
            return  # read before, and overtaken by, a newer one
        taken = edition.number
        try:
            await egress.use_pool(edition.entries)
        except SettingsError as error:
            # Written round this program. What was in force stays, and is the narrower for it.
            LOG.error("address list %s cannot be read: %s", edition.number, error)

    changes.on(ADDRESSES, take)
    await take()


def _check(entries: Sequence[str]) -> None:
    if not entries or len(entries) > MOST:
        raise BadValue(f"地址表应有 1 至 {MOST} 条；清空会使全部池内模型不可用。")
    if any(len(entry) > LONGEST for entry in entries):
        raise BadValue(f"每条地址不超过 {LONGEST} 个字符。")
    try:
        PoolAddresses(entries)
    except SettingsError as error:
        raise BadValue(str(error)) from error


def _edition(row: PoolAddressList) -> Edition:
    return Edition(row.id, tuple(row.entries), row.actor, in_utc(row.created))
