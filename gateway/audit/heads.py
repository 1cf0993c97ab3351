"""A file of signed heads and states that can be copied, or written, where no database reaches.

Each line is one statement with its signature. Days' ends are always there; the present state
at most once a minute. `zhengwu audit verify` compares them with the database.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.engine import reader
from zhengwu.db.tables import AuditHead
from zhengwu.gateway.audit.chain import Appended
from zhengwu.gateway.audit.seal import Sealed, read_head

EVERY_S = 60.0


class HeadsFile:
    """Appends statements to one file. Several processes may share it."""

    def __init__(self, path: Path, every_s: float = EVERY_S) -> None:
        self._path = path
        self._every_s = every_s
        self._next = 0.0

    async def told(self, appended: Appended) -> None:
        """A transaction has been committed."""
        if appended.head:
            await asyncio.to_thread(self._write, [appended.head])
        if appended.added and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every_s
            await asyncio.to_thread(self._write, [appended.state])

    async def catch_up(self, engine: AsyncEngine) -> None:
        """Write the heads that a killed process committed and did not write here."""
        async with reader(engine).connect() as connection:
            rows = await connection.execute(
                select(AuditHead.body, AuditHead.signature).order_by(AuditHead.number)
            )
            heads = [Sealed(row.body.encode(), row.signature) for row in rows]
        known = {sealed.body for sealed in read_heads(self._path) if read_head(sealed.body)}
        missing = [sealed for sealed in heads if sealed.body not in known]
        if missing:
            await asyncio.to_thread(self._write, missing)

    def _write(self, statements: list[Sealed]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        handle = os.open(self._path, flags, 0o644)
        try:
            os.write(handle, b"".join(sealed.line() for sealed in statements))
            os.fsync(handle)
        finally:
            os.close(handle)


def read_heads(path: Path) -> Iterator[Sealed]:
    """The statements of a heads file. A line that is none of ours has an empty signature."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            yield _statement(line)


def _statement(line: bytes) -> Sealed:
    try:
        told = orjson.loads(line)
        return Sealed(str(told["body"]).encode(), str(told["signature"]))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return Sealed(line, "")
