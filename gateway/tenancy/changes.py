"""Notices what other processes changed: one counter a subject, looked at twice a second.

Knows counters and who wants to hear of them; knows nothing of what changed.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Self

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from zhengwu.db.engine import reader
from zhengwu.db.tables import ChangeCounter

LOG = logging.getLogger("zhengwu.gateway")
TENANCY, ADDRESSES = "tenancy", "addresses"
EVERY_S = 0.5
FRESH_S = 1.5
"""A look older than this vouches for nothing: a change must show within two seconds."""
WAIT_S, LOOK_S = 1.0, 10.0
DATABASE_DOWN = (SQLAlchemyError, OSError, TimeoutError)
Heard = Callable[[], Awaitable[None]]


async def bump(session: AsyncSession, name: str) -> None:
    """Count a change in the transaction of `session`; until it ends, others who change wait."""
    counter = update(ChangeCounter).where(ChangeCounter.name == name)
    await session.execute(counter.values(value=ChangeCounter.value + 1))


class Changes:
    """Tells subscribers of changes: of this process at once, of others within two seconds."""

    def __init__(
        self,
        engine: AsyncEngine,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader(engine)
        self._every_s = every_s
        self._clock = clock
        self._heard: dict[str, list[Heard]] = defaultdict(list)
        self._values: dict[str, int] = {}
        self._looked = -FRESH_S
        self._failed = False
        self._looking: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start looking."""
        await self.look()
        self._task = asyncio.create_task(self._keep_looking())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop looking."""
        self._stop.set()
        if self._task:
            await self._task
            self._task = None
        if self._looking:
            await self._looking

    def on(self, name: str, heard: Heard) -> None:
        """Call `heard` after every change of `name`. If it raises, it is called again later."""
        self._heard[name].append(heard)

    async def happened(self, name: str) -> None:
        """Tell of a change that this process has just committed."""
        for heard in self._heard[name]:
            await heard()

    @property
    def fresh(self) -> bool:
        """Whether everything committed two seconds ago is known here."""
        return self._clock() - self._looked < FRESH_S

    @property
    def down_s(self) -> float:
        """How long ago the database last answered, while it does not; 0 while it does."""
        return self._clock() - self._looked if self._failed else 0.0

    async def look(self) -> bool:
        """Look now, or wait for a look under way. False: the database does not answer in time.

        A look that takes longer goes on: a cancelled query would leave its connection hanging.
        """
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._try())
        done, _ = await asyncio.wait({self._looking}, timeout=WAIT_S)
        if not done:
            self._failed = True
        return not self._failed and self.fresh

    async def _try(self) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                await self._look()
        except DATABASE_DOWN as error:
            if not self._failed:
                LOG.warning("the change counters cannot be read: %s", type(error).__name__)
            self._failed = True
        else:
            self._failed = False

    async def _look(self) -> None:
        began = self._clock()
        async with AsyncSession(self._reader) as session:
            rows = (await session.execute(select(ChangeCounter.name, ChangeCounter.value))).all()
        for name, value in rows:
            if self._values.get(name) != value:
                await self.happened(name)
                self._values[name] = value
        self._looked = began

    async def _keep_looking(self) -> None:
        while not self._stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._every_s)
                return
            await self.look()
