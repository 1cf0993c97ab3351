"""Brings finished pairs from the journals to the chain, in groups, while the gateway serves.

Takes up the journals of processes that ended too: at start, and whenever another one dies. A
group is one transaction and may be repeated: a record has one place in the chain.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from sqlalchemy.exc import SQLAlchemyError

from zhengwu.db.tables import now
from zhengwu.gateway.audit.chain import Appended, Chain
from zhengwu.gateway.audit.errors import AuditError
from zhengwu.gateway.audit.journal import Journal, lock_folder
from zhengwu.gateway.audit.read import JournalReader, Pair
from zhengwu.gateway.audit.record import china_day, of_pair
from zhengwu.gateway.audit.trail import JournalTrail

LOG = logging.getLogger("zhengwu.gateway.audit")
GROUP = 200
"""Pairs in one transaction: few, so that streams do not wait for the work on them."""
PAUSE_S = 0.5
FAILED_PAUSE_S = 5.0
Fsync = Literal["off", "group"]
Told = Callable[[Appended], Awaitable[None]]


class Mover:
    """Moves what one process wrote, and what dead ones left under the same root."""

    def __init__(
        self,
        root: Path,
        chain: Chain,
        own: Journal | None = None,
        trail: JournalTrail | None = None,
        fsync: Fsync = "group",
        told: Told | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """`own` is the journal this process writes; `told` hears of every transaction."""
        self._root = root
        self._chain = chain
        self._own = own
        self._trail = trail
        self._fsync: Fsync = fsync
        self._told = told
        self._clock = clock
        self._reader = JournalReader(own.folder) if own else None
        self._waiting: list[Pair] = []
        self._working = asyncio.Lock()
        self._day: date | None = None
        self.failing = False
        """Whether the last pass failed: records wait in the journals."""

    def backlog(self) -> int:
        """Bytes of this process's journal that are not in the database yet, about."""
        return self._reader.behind() if self._reader else 0

    async def run(self) -> None:
        """Move until cancelled. A database that is away delays, and loses nothing."""
        while True:
            moved = 0
            try:
                moved = await self.step()
                self.failing = False
            except (SQLAlchemyError, AuditError, OSError) as error:
                self.failing = True
                LOG.error("audit records wait in %s: %s", self._root, _told(error))
            full = moved >= GROUP
            pause = FAILED_PAUSE_S if self.failing else PAUSE_S / (10 if full else 1)
            await asyncio.sleep(pause)

    async def step(self) -> int:
        """Move one group of this process, and everything that dead processes left."""
        async with self._working:
            if self._trail:
                self._trail.retry()
            if self._own and self._fsync == "group":
                await asyncio.to_thread(self._own.sync)
            await self._end_day()
            await self._take_up()
            return await self._move_own()

    async def drain(self) -> None:
        """Move everything that is finished."""
        while await self.step():
            pass

    async def last(self) -> None:
        """Drain before the process ends; what cannot be moved stays for the next one."""
        try:
            await self.drain()
        except (SQLAlchemyError, AuditError, OSError) as error:
            LOG.error("audit records wait in %s: %s", self._root, _told(error))

    async def _end_day(self) -> None:
        """At the first pass of a day sign the end of the day before, even if nothing happens."""
        today = china_day(self._clock())
        if self._day != today:
            await self._append([])
            self._day = today

    async def _move_own(self) -> int:
        if self._reader is None:
            return 0
        if not self._waiting:
            self._waiting = await asyncio.to_thread(self._reader.read)
        group = self._waiting[:GROUP]
        if group:
            await self._append(group)
            self._reader.moved(group)
            self._waiting = self._waiting[GROUP:]
        return len(group)

    async def _append(self, pairs: list[Pair]) -> None:
        moment = self._clock()
        appended = await self._chain.append([of_pair(pair, moment) for pair in pairs])
        if self._told:
            await self._told(appended)

    async def _take_up(self) -> None:
        own = self._own.folder if self._own else None
        for folder in sorted(path for path in self._root.glob("[!.]*") if path.is_dir()):
            if folder != own and (handle := lock_folder(folder)) is not None:
                try:
                    await self._finish(JournalReader(folder))
                finally:
                    os.close(handle)

    async def _finish(self, reader: JournalReader) -> None:
        """Everything of a dead writer; its open intents become records that say `lost`."""
        while pairs := reader.read(ended=True):
            for at in range(0, len(pairs), GROUP):
                group = pairs[at : at + GROUP]
                await self._append(group)
                reader.moved(group)
        with suppress(FileNotFoundError):
            reader.remove()


def _told(error: Exception) -> str:
    """What the log may know: an SQL error's own text would repeat the rows."""
    return str(error) if isinstance(error, AuditError) else type(error).__name__
