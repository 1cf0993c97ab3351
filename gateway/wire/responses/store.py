"""Keeps responses, finds the earlier turns of one, and knows which were cancelled.

Knows the table; knows nothing of models.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.engine import reader
from zhengwu.db.tables import StoredResponse, now
from zhengwu.gateway.wire.errors import NotNow, UnknownObject, WrongParameter

KEPT = timedelta(days=30)
"""As long as OpenAI keeps them."""
MAX_TURNS, MAX_CHAIN_BYTES = 100, 2 << 20
RUNNING = ("queued", "in_progress")
PLAIN = re.compile(r"[\w-]{1,48}", re.ASCII)
Row = StoredResponse


@dataclass(frozen=True)
class Stored:
    """One response with what is needed to go on from it."""

    id: str
    key_id: str
    status: str
    previous: str | None
    grade: int
    declared: str | None
    request: Mapping[str, Any]
    shown: Mapping[str, Any]


@dataclass(frozen=True)
class Before:
    """The earlier turns of a response: their items, oldest first, and the grade they carried."""

    items: Sequence[Mapping[str, Any]] = ()
    grade: int = 1


class ResponseStore:
    """The responses of one database. Every reading names the owner."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reader = reader(engine)

    async def add(self, owner: str, stored: Stored) -> None:
        """Keep a response; when this returns it is on disk."""
        values = {**vars(stored), "owner": owner, "created": now(), "expires": now() + KEPT}
        async with self._engine.begin() as connection:
            await connection.execute(insert(Row).values(**values))

    async def begin(self, response_id: str, shown: Mapping[str, Any]) -> bool:
        """Say that work on a queued response begins; False if it was cancelled or is gone."""
        return await self._change(response_id, status="in_progress", shown=dict(shown))

    async def finish(self, response_id: str, shown: Mapping[str, Any], grade: int) -> bool:
        """Keep how a response ended; False if it was cancelled before, which stands."""
        status = str(shown["status"])
        return await self._change(response_id, status=status, shown=dict(shown), grade=grade)

    async def get(self, owner: str, response_id: str) -> Stored:
        """One response.

        Raises:
            UnknownObject: the owner has none of this id.
        """
        row = None
        if PLAIN.fullmatch(response_id):
            async with self._reader.connect() as connection:
                query = select(Row.__table__).where(_of(owner, response_id))
                row = (await connection.execute(query)).first()
        if row is None:
            raise unknown(response_id)
        names = Stored.__dataclass_fields__
        return Stored(**{name: getattr(row, name) for name in names})

    async def owner(self, response_id: str) -> str | None:
        """Whose response it is."""
        async with self._reader.connect() as connection:
            return await connection.scalar(select(Row.owner).where(Row.id == response_id))

    async def delete(self, owner: str, response_id: str) -> None:
        """Delete a response.

        Raises:
            UnknownObject: the owner has none of this id.
        """
        await self.get(owner, response_id)
        async with self._engine.begin() as connection:
            gone = await connection.execute(delete(Row).where(_of(owner, response_id)))
        if not gone.rowcount:
            raise unknown(response_id)

    async def cancel(self, owner: str, response_id: str) -> Stored:
        """Cancel a response that is not finished; twice changes nothing.

        Raises:
            UnknownObject: the owner has none of this id.
            NotNow: it is finished.
        """
        found = await self.get(owner, response_id)
        shown = {**found.shown, "status": "cancelled"}
        if found.status != "cancelled":
            if not await self._change(response_id, status="cancelled", shown=shown):
                found = await self.get(owner, response_id)
                if found.status != "cancelled":
                    raise NotNow(f"响应已结束（{found.status}），不能取消。")
        return await self.get(owner, response_id)

    async def cancelled(self, ids: Sequence[str]) -> Sequence[str]:
        """Which of `ids` were cancelled or deleted."""
        query = select(Row.id).where(Row.id.in_(ids), Row.status.in_(RUNNING))
        async with self._reader.connect() as connection:
            running = set(await connection.scalars(query))
        return [one for one in ids if one not in running]

    async def before(self, owner: str, response_id: str | None) -> Before:
        """The turns up to and with `response_id`.

        Raises:
            WrongParameter: a turn is missing or unfinished, or there are too many.
        """
        turns: list[Stored] = []
        size, at = 0, response_id
        while at:
            stored = await self._turn(owner, at)
            turns.append(stored)
            size += len(orjson.dumps([stored.request, stored.shown.get("output")]))
            at = stored.previous
            if len(turns) > MAX_TURNS or size > MAX_CHAIN_BYTES:
                raise WrongParameter(
                    f"这段对话超过 {MAX_TURNS} 轮或 {MAX_CHAIN_BYTES >> 20} MB，请新开一段对话。",
                    "previous_response_id",
                )
        items = [item for turn in reversed(turns) for item in _items(turn)]
        return Before(items, max((turn.grade for turn in turns), default=1))

    async def _turn(self, owner: str, response_id: str) -> Stored:
        try:
            stored = await self.get(owner, response_id)
        except UnknownObject as error:
            raise WrongParameter(
                f"没有编号为“{response_id[:60]}”的响应，它可能没有保存、已删除或已过期。",
                "previous_response_id",
            ) from error
        if stored.status in RUNNING:
            raise WrongParameter("前一个响应还没有完成，请稍后再试。", "previous_response_id")
        return stored

    async def _change(self, response_id: str, **values: Any) -> bool:
        """Change a response that is not finished."""
        alive = and_(Row.id == response_id, Row.status.in_(RUNNING))
        async with self._engine.begin() as connection:
            changed = await connection.execute(update(Row).where(alive).values(**values))
        return bool(changed.rowcount)


def unknown(response_id: str) -> UnknownObject:
    """The refusal of an id that the caller has not."""
    return UnknownObject(f"没有编号为“{response_id[:60]}”的响应，请检查编号。", "response_id")


def _of(owner: str, response_id: str) -> ColumnElement[bool]:
    return and_(Row.id == response_id, Row.owner == owner, Row.expires > now())


def _items(stored: Stored) -> list[Mapping[str, Any]]:
    given = stored.request.get("input") or []
    if isinstance(given, str):
        given = [{"type": "message", "role": "user", "content": given}]
    return [*given, *(stored.shown.get("output") or [])]
