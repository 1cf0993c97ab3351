"""Tells who calls, from memory: the real `Authenticates`. A known key costs microseconds.

What is remembered goes at any change of tenants or keys: at once when this process made it, within
two seconds when another did. While the database is down known callers go on for a bounded time
and unknown ones are told to come again; nobody is told that a key is wrong.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self, TypeVar

from sqlalchemy import ColumnElement, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from zhengwu.db.engine import reader
from zhengwu.db.tables import ApiKey
from zhengwu.db.tables.base import in_utc
from zhengwu.gateway.errors import KeyRefused
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.tenancy.changes import DATABASE_DOWN, TENANCY, Changes
from zhengwu.gateway.tenancy.errors import AuthUnavailable, TenancyError
from zhengwu.gateway.tenancy.keys import PREFIX, digest
from zhengwu.gateway.tenancy.resolve import key_caller
from zhengwu.gateway.tenancy.tree import path_to

T = TypeVar("T")
SECRET_CHARS = 46
MAX_CALLERS, MAX_REFUSED = 50_000, 10_000
REFUSED_S = 5.0
LOAD_S = 3.0
GRACE_S = 300.0
NOTED_EVERY_S = 30.0
UNKNOWN = "密钥无效，请核对后重试，或请管理员用 zhengwu key create 新建。"
DOWN = "身份数据库暂时无法访问，请稍后重试。"


@dataclass(frozen=True)
class _Known:
    caller: Caller
    until: float
    """Seconds since the epoch; infinite for a key without a date."""


class Callers:
    """Callers by the digest of their secret."""

    def __init__(
        self,
        engine: AsyncEngine,
        changes: Changes,
        grace_s: float = GRACE_S,
        clock: Callable[[], float] = time.time,
        max_callers: int = MAX_CALLERS,
        max_refused: int = MAX_REFUSED,
    ) -> None:
        self._engine = engine
        self._changes = changes
        self._grace_s = grace_s
        self._clock = clock
        self._max_callers, self._max_refused = max_callers, max_refused
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._refused: OrderedDict[str, tuple[float, KeyRefused]] = OrderedDict()
        self._loading: dict[str, asyncio.Task[_Known]] = {}
        self._edition = 0
        self._used: dict[str, float] = {}
        self._stop = asyncio.Event()
        self._noting: asyncio.Task[None] | None = None
        changes.on(TENANCY, self.forget)

    async def __aenter__(self) -> Self:
        """Start writing down, in groups, when keys were used."""
        self._noting = asyncio.create_task(self._keep_noting())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write down the last ones."""
        self._stop.set()
        if self._noting:
            await self._noting
        await self.note_used()

    @property
    def held(self) -> tuple[int, int]:
        """How many callers and how many refusals are remembered."""
        return len(self._known), len(self._refused)

    async def forget(self) -> None:
        """Forget everybody: something about tenants or keys has changed."""
        self._edition += 1
        self._known.clear()
        self._refused.clear()

    async def caller(self, secret: str) -> Caller:
        """The caller behind a bearer key.

        Raises:
            KeyRefused: unknown, revoked or past its date; or its unit is suspended.
            AuthUnavailable: the database is down and the key is not known here.
        """
        if len(secret) != SECRET_CHARS or not secret.startswith(PREFIX):
            raise KeyRefused(UNKNOWN)
        name = digest(secret)
        found = self._known.get(name)
        if found is None or not self._changes.fresh:
            found = await self._slowly(name)
        now = self._clock()
        if now >= found.until:
            raise KeyRefused("密钥已过期或已轮换，请换用新密钥。")
        self._used[found.caller.key_id] = now
        return found.caller

    async def _slowly(self, name: str) -> _Known:
        if not self._changes.fresh and (self._changes.down_s or not await self._changes.look()):
            found = self._known.get(name)
            if found is None or self._changes.down_s > self._grace_s:
                raise AuthUnavailable(DOWN)
            return found
        if (found := self._known.get(name)) is not None:
            self._known.move_to_end(name)
            return found
        self._recently_refused(name)
        task = self._loading.get(name)
        if task is None:
            task = asyncio.create_task(self._load(name))
            self._loading[name] = task
            task.add_done_callback(lambda _: self._loading.pop(name, None))
        return await asyncio.shield(task)

    def _recently_refused(self, name: str) -> None:
        until, error = self._refused.get(name, (0.0, None))
        if error is None:
            return
        if until > time.monotonic():
            raise type(error)(str(error))
        self._refused.pop(name, None)

    async def _load(self, name: str) -> _Known:
        edition = self._edition
        try:
            async with asyncio.timeout(LOAD_S):
                which = or_(ApiKey.digest == name, ApiKey.old_digest == name)
                found = await self._read(which, name)
        except KeyRefused as error:
            if edition == self._edition:
                self._refused[name] = (time.monotonic() + REFUSED_S, error)
                _trim(self._refused, self._max_refused)
            raise
        except DATABASE_DOWN as error:
            raise AuthUnavailable(DOWN) from error
        if edition == self._edition:  # else what was read may be older than the change
            self._known[name] = found
            _trim(self._known, self._max_callers)
        return found

    async def by_id(self, key_id: str) -> Caller:
        """The caller of a key as it is now, for work that it asked for earlier.

        Raises:
            KeyRefused: gone, revoked or past its date; or its unit is suspended.
            AuthUnavailable: the database is down.
        """
        try:
            async with asyncio.timeout(LOAD_S):
                return (await self._read(ApiKey.id == key_id)).caller
        except DATABASE_DOWN as error:
            raise AuthUnavailable(DOWN) from error

    async def _read(self, which: ColumnElement[bool], name: str = "") -> _Known:
        async with AsyncSession(reader(self._engine)) as session:
            row = await session.scalar(select(ApiKey).where(which))
            if row is None:
                raise KeyRefused(UNKNOWN)
            until = self._good_until(row, name)
            try:
                return _Known(key_caller(row, await path_to(session, row.tenant)), until)
            except TenancyError as error:
                raise AuthUnavailable(str(error)) from error

    def _good_until(self, row: ApiKey, name: str) -> float:
        now = datetime.fromtimestamp(self._clock(), UTC)
        if row.revoked is not None:
            raise KeyRefused("密钥已被吊销，请向管理员申请新的密钥。")
        ends = [in_utc(row.expires)] if row.expires else []
        if ends and ends[0] <= now:
            raise KeyRefused("密钥已过期，请向管理员申请新的密钥。")
        if name == row.old_digest:
            old_until = in_utc(row.old_until) if row.old_until else now
            if old_until <= now:
                raise KeyRefused("密钥已轮换，旧密钥不再可用，请换用新密钥。")
            ends.append(old_until)
        return min((end.timestamp() for end in ends), default=float("inf"))

    async def note_used(self) -> None:
        """Write down when keys were used since the last time, all in one transaction."""
        used, self._used = self._used, {}
        if not used:
            return
        moments = [
            {"key": key, "moment": datetime.fromtimestamp(at, UTC)} for key, at in used.items()
        ]
        noting = update(ApiKey.__table__).where(ApiKey.__table__.c.id == bindparam("key"))  # pyright: ignore[reportArgumentType]
        try:
            async with asyncio.timeout(LOAD_S), self._engine.begin() as connection:
                await connection.execute(noting.values(last_used=bindparam("moment")), moments)
        except DATABASE_DOWN:
            self._used = {**used, **self._used}  # next time; as many as there are keys at most

    async def _keep_noting(self) -> None:
        while not self._stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), NOTED_EVERY_S)
                return
            await self.note_used()


def _trim(held: OrderedDict[str, T], most: int) -> None:
    while len(held) > most:
        held.popitem(last=False)
