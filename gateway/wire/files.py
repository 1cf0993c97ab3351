"""Files of the wire, kept in the database in parts, so that every gateway and worker has them.

Knows the tables; knows neither HTTP nor what is in a file.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from zhengwu.db.engine import reader
from zhengwu.db.tables import FilePart, WireFile, in_utc, now
from zhengwu.errors import LimitError
from zhengwu.gateway.wire.errors import UnknownObject

PART_BYTES = 1 << 20
KEPT = timedelta(days=30)
MAX_FILES, MAX_TOTAL = 1000, 2 << 30
"""As many files, and bytes in all of them, as one owner may have."""
UPLOAD = timedelta(hours=1)
"""What is not whole after this long was cut off, and goes."""
PLAIN = re.compile(r"[\w-]{1,48}", re.ASCII)
Row = WireFile


@dataclass(frozen=True)
class FileInfo:
    """What may be shown of a file."""

    id: str
    filename: str
    purpose: str
    size: int
    created: datetime
    expires: datetime


@dataclass(frozen=True)
class NewFile:
    """A file that is being written."""

    id: str
    owner: str
    key_id: str
    filename: str
    purpose: str
    kept: timedelta = KEPT


class WireFiles:
    """The files of one database. Every reading names the owner."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reader = reader(engine)

    async def write(self, new: NewFile, blocks: AsyncIterator[bytes]) -> FileInfo:
        """Keep a file; it is seen only when it is whole. An id written twice holds the second.

        Raises:
            LimitError: the owner has too many files, or too much in them.
        """
        moment = now()
        async with self._engine.begin() as connection:
            await _sweep(connection)
            await connection.execute(delete(Row).where(Row.id == new.id))
            used = await _room(connection, new.owner)
            values = {name: getattr(new, name) for name in ("id", "owner", "key_id", "purpose")}
            values |= {"filename": new.filename, "size": 0, "ready": False}
            values |= {"created": moment, "expires": moment + new.kept}
            await connection.execute(insert(Row).values(**values))
        size = 0
        async for number, part in _numbered(blocks):
            size += len(part)
            if used + size > MAX_TOTAL:
                await self._remove(Row.id == new.id)
                raise LimitError(f"文件总量超过 {MAX_TOTAL >> 30} GB，请先删除不用的文件。")
            async with self._engine.begin() as connection:
                row = {"file": new.id, "number": number, "content": part}
                await connection.execute(insert(FilePart).values(**row))
        async with self._engine.begin() as connection:
            ready = update(Row).where(Row.id == new.id).values(size=size, ready=True)
            await connection.execute(ready)
        return FileInfo(new.id, new.filename, new.purpose, size, moment, moment + new.kept)

    async def get(self, owner: str, file_id: str) -> FileInfo:
        """One file.

        Raises:
            UnknownObject: the owner has none of this id.
        """
        found: list[FileInfo] = []
        if PLAIN.fullmatch(file_id):
            found = await self._select(and_(_seen(owner), Row.id == file_id), 1)
        if not found:
            raise _unknown(file_id)
        return found[0]

    async def page(
        self, owner: str, limit: int, purpose: str | None = None, after: str | None = None
    ) -> list[FileInfo]:
        """Files, the newest first; `after` is an id to go on from."""
        where = _seen(owner)
        if purpose is not None:
            where = and_(where, Row.purpose == purpose)
        if after is not None:
            last = await self.get(owner, after)
            older = and_(Row.created == last.created, Row.id < last.id)
            where = and_(where, (Row.created < last.created) | older)
        return await self._select(where, limit)

    async def content(self, file_id: str) -> AsyncGenerator[bytes]:
        """The bytes, part by part."""
        number = 0
        while True:
            query = select(FilePart.content).where(
                FilePart.file == file_id, FilePart.number == number
            )
            async with self._reader.connect() as connection:
                part = await connection.scalar(query)
            if part is None:
                return
            yield part
            number += 1

    async def delete(self, owner: str, file_id: str) -> None:
        """Delete a file.

        Raises:
            UnknownObject: the owner has none of this id.
        """
        await self.get(owner, file_id)
        await self._remove(and_(_seen(owner), Row.id == file_id))

    async def _select(self, where: ColumnElement[bool], limit: int) -> list[FileInfo]:
        columns = (Row.id, Row.filename, Row.purpose, Row.size, Row.created, Row.expires)
        query = select(*columns).where(where).order_by(Row.created.desc(), Row.id.desc())
        async with self._reader.connect() as connection:
            rows = await connection.execute(query.limit(limit))
            return [FileInfo(*row[:4], in_utc(row.created), in_utc(row.expires)) for row in rows]

    async def _remove(self, where: ColumnElement[bool]) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(delete(Row).where(where))


async def _room(connection: AsyncConnection, owner: str) -> int:
    """How many bytes the owner has.

    Raises:
        LimitError: too many files.
    """
    query = select(func.count(), func.sum(Row.size)).where(Row.owner == owner)
    count, used = (await connection.execute(query)).one()
    if count >= MAX_FILES:
        raise LimitError(f"文件超过 {MAX_FILES} 个，请先删除不用的文件。")
    return int(used or 0)


async def _sweep(connection: AsyncConnection) -> None:
    cut_off = and_(Row.ready.is_(False), Row.created < now() - UPLOAD)
    await connection.execute(delete(Row).where((Row.expires < now()) | cut_off))


async def _numbered(blocks: AsyncIterator[bytes]) -> AsyncGenerator[tuple[int, bytes]]:
    """The bytes in parts of one size, numbered."""
    number, rest = 0, bytearray()
    async for block in blocks:
        rest += block
        while len(rest) >= PART_BYTES:
            yield number, bytes(rest[:PART_BYTES])
            del rest[:PART_BYTES]
            number += 1
    if rest:
        yield number, bytes(rest)


def _seen(owner: str) -> ColumnElement[bool]:
    return and_(Row.owner == owner, Row.ready.is_(True), Row.expires > now())


def _unknown(file_id: str) -> UnknownObject:
    return UnknownObject(f"没有编号为“{file_id[:60]}”的文件，请检查编号。", "file_id")
