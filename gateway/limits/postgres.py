"""Counters of several gateways, in PostgreSQL: the only truth, by its clock and under its locks.

Everything that is asked while a round trip is under way goes together into the next one. A batch
has a number, and the database keeps the verdicts of the last: after a broken connection the same
batch is sent again and is never applied twice. Knows no caller.
"""

import asyncio
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import uuid4

import psycopg

from zhengwu.gateway.errors import LimitsUnavailable
from zhengwu.gateway.governed.caller import LimitKind
from zhengwu.gateway.limits.batch import CALL, Batch, Reply, read_reply, verdicts
from zhengwu.gateway.limits.kinds import KINDS, MINUTE_KINDS, SLOT_US, WINDOW, rest_us
from zhengwu.gateway.limits.leases import Leases, LeaseStore
from zhengwu.gateway.limits.ports import Back, Demand, Level, Place, Refused, Taken
from zhengwu.gateway.limits.statements import ADD, FIND, JOIN, LEASED, LEAVE, LOOK, REAP
from zhengwu.gateway.limits.wire import Wire

LOG = logging.getLogger("zhengwu.gateway.limits")
MAX_BATCH, MAX_GIVES = 400, 1000
PATIENCE_S = 5.0
"""How long a request waits for a database that does not answer."""
LEASE_US = 15_000_000
BEAT_S = 1.0
REAP_EVERY_S = 3.0
QUICK_NS = 50_000_000
"""Round trips that say what time it is at the other end."""
DOWN = "限额数据库暂时没有响应，请求未被受理；请稍后重试，并请运维检查 PostgreSQL。"
UNKNOWN_COUNTER = "ZW001"

Ask = tuple[Sequence[Demand], "asyncio.Future[Taken | Refused]"]
Give = tuple[int, Sequence[Back], "asyncio.Future[None]"]


class PostgresCounters:
    """The counters of one gateway process among several. Open it with `open`, and close it."""

    def __init__(self, url: str, moment_us: Callable[[], int | None] = lambda: None) -> None:
        self._line = Wire(url)
        self._side = Wire(url)
        self._moment_us = moment_us
        self._offset_us = 0
        self.id = ""
        self._seq = 0
        self._holds: dict[int, int] = {}
        self._asks: deque[Ask] = deque()
        self._gives: deque[Give] = deque()
        self._wake = asyncio.Event()
        self._numbers: dict[Place, int] = {}
        self._kinds: dict[int, LimitKind] = {}
        self._minute: set[int] = set()
        self._numbering = asyncio.Lock()
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._closing = False

    @classmethod
    async def open(cls, url: str, leases: LeaseStore | None = None) -> "PostgresCounters":
        """Join the gateways that count in the database at `url`, with leases in Redis if given.

        Raises:
            LimitsUnavailable: it does not answer.
        """
        counters = cls(url)
        try:
            await counters.join()
        except psycopg.Error as error:
            raise LimitsUnavailable(DOWN) from error
        counters.start(leases)
        return counters

    def start(self, leases: LeaseStore | None = None) -> None:
        """Begin to count, and to look after gateways that died."""
        self._tasks = (
            asyncio.create_task(self._run()),
            asyncio.create_task(self._reap_behind()),
        )
        if leases is not None:
            self._tasks += (asyncio.create_task(Leases(self, leases).run()),)

    async def close(self) -> None:
        """Send what waits, then leave. What is still open counts as spent."""
        self._closing = True
        self._wake.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._tasks[0]
        with suppress(psycopg.Error):
            await self._side.fetch(LEAVE, (self.id, self._moment_us()))
        await self.stop()

    def now_us(self) -> int:
        """The moment by the database's clock, to within a round trip."""
        given = self._moment_us()
        return time.time_ns() // 1000 + self._offset_us if given is None else given

    @property
    def skew_s(self) -> float:
        """By how much this machine's clock is ahead of the database's."""
        return -self._offset_us / 1_000_000

    async def number(self, places: Sequence[Place]) -> list[int]:
        """The id of the counter of each place, made where there is none."""
        async with self._numbering:
            missing = [place for place in places if place not in self._numbers]
            if missing:
                try:
                    await self._find(missing)
                except psycopg.Error as error:
                    raise LimitsUnavailable(DOWN) from error
        return [self._numbers[place] for place in places]

    async def take(self, demands: Sequence[Demand]) -> Taken | Refused:
        """Take every demand, or nothing, with whatever else is asked at the moment."""
        future = asyncio.get_running_loop().create_future()
        self._asks.append((demands, future))
        self._wake.set()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._or_back(demands, future)
        except TimeoutError as error:
            raise LimitsUnavailable(DOWN) from error

    async def give(self, slot: int, backs: Sequence[Back]) -> None:
        """Give back what was not spent. It is kept in hand while the database does not answer."""
        future = self._put_back(slot, backs)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.shield(future)

    async def look(self, place: Place) -> Level:
        """How full the counter of `place` is now."""
        this = self.now_us() // SLOT_US
        try:
            row = await self._side.fetch(LOOK, (this - WINDOW, *place))
        except psycopg.Error as error:
            raise LimitsUnavailable(DOWN) from error
        if row is None:
            return Level(0, 0, None)
        used, held, slot = row
        return Level(int(used), int(held), slot and (int(slot) + WINDOW + 1) * SLOT_US)

    async def join(self) -> None:
        """Put this gateway down, with what it holds if it was given up before."""
        was, self.id, self._seq = self.id, uuid4().hex, 0
        held = {number: amount for number, amount in self._holds.items() if amount}
        given = (self.id, f"{socket.gethostname()}/{os.getpid()}", was, self._moment_us(), LEASE_US)
        before = time.time_ns()
        row = await self._line.fetch(JOIN, (*given, list(held), list(held.values())))
        self._see_clock(int(row[0]) if row else 0, before)

    async def reap(self, gone: Sequence[str] = (), run: str = "", quiet_us: int = 0) -> list[str]:
        """Give up gateways whose lease lapsed, one transaction each; their ids."""
        dead: list[str] = []
        while True:
            row = await self._side.fetch(REAP, (self._moment_us(), list(gone), run, quiet_us))
            if row is None or row[0] is None:
                return dead
            dead.append(str(row[0]))

    async def leased_in(self, run: str) -> list[str]:
        """Write down that `run` of Redis holds this gateway's lease; the others that it holds."""
        rows = await self._side.fetch_all(LEASED, (run, self.id, run, run, self.id))
        return [str(row[0]) for row in rows]

    async def stop(self) -> None:
        """End at once and say nothing, as a killed process does."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._line.close()
        await self._side.close()

    async def _or_back(
        self, demands: Sequence[Demand], future: "asyncio.Future[Taken | Refused]"
    ) -> Taken | Refused:
        try:
            return await future
        except asyncio.CancelledError:
            # Taken in the same moment as the caller left: nobody else would give it back.
            if future.done() and not future.cancelled():
                self._return(demands, future.result())
            raise

    def _return(self, demands: Sequence[Demand], verdict: Taken | Refused) -> None:
        if isinstance(verdict, Taken):
            self._put_back(verdict.slot, [Back(d.counter, d.amount, d.amount) for d in demands])

    def _put_back(self, slot: int, backs: Sequence[Back]) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gives.append((slot, backs, future))
        self._wake.set()
        return future

    async def _run(self) -> None:
        while True:
            if not self._asks and not self._gives:
                if self._closing:
                    return
                self._wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(BEAT_S):
                        await self._wake.wait()
            await self._round()

    async def _round(self) -> None:
        """One round trip with everything that waits; with nothing it only renews the lease."""
        asks = [self._asks.popleft() for _ in range(min(MAX_BATCH, len(self._asks)))]
        asks = [(demands, future) for demands, future in asks if not future.done()]
        gives = [self._gives.popleft() for _ in range(min(MAX_GIVES, len(self._gives)))]
        batch = Batch([demands for demands, _ in asks], [give[:2] for give in gives], self._minute)
        now_us = self.now_us()
        rests = {kind: rest_us(kind, now_us) for kind in KINDS}
        batch.build(lambda number: rests[self._kinds[number]])
        reply = await self._send(batch)
        if reply is None:
            for _, future in asks:
                if not future.done():
                    future.set_exception(LimitsUnavailable(DOWN))
            reply = Reply("lost", 0, [1] * len(asks), [], [], [])
        else:
            for number, change in batch.holds(reply.failing).items():
                self._holds[number] = self._holds.get(number, 0) + change
        for (demands, future), verdict in zip(asks, verdicts(batch, reply), strict=True):
            if not future.done():
                future.set_result(verdict)
            elif future.cancelled():
                self._return(demands, verdict)
        for _, _, future in gives:
            if not future.done():
                future.set_result(None)

    async def _send(self, batch: Batch) -> Reply | None:
        """Send `batch` until it is applied, once. None: its counters are not there any more."""
        pause_s, batch.seq = 0.05, self._seq + 1
        while True:
            try:
                before = time.time_ns()
                row = await self._line.fetch(
                    CALL, batch.parameters(self.id, self._moment_us(), LEASE_US)
                )
                assert row is not None, "a function with OUT parameters gives one row"
                reply = read_reply(row)
                if reply.state != "lapsed":
                    self._see_clock(reply.moment_us, before)
                    self._seq = batch.seq
                    return reply
                LOG.warning("the lease of this gateway had lapsed; it joins again")
                await self.join()
                batch.seq = 1
            except psycopg.Error as error:
                if error.sqlstate == UNKNOWN_COUNTER:
                    self._numbers.clear()
                    LOG.error("counters were removed from the database while in use")
                    return None
                LOG.warning("the database does not count: %s", error)
                await asyncio.sleep(pause_s)
                pause_s = min(1.0, pause_s * 2)

    async def _find(self, places: Sequence[Place]) -> None:
        columns = tuple([list(column) for column in zip(*places, strict=True)])
        for _ in range(2):
            for scope, kind, period, number in await self._side.fetch_all(FIND, columns):
                self._numbers[Place(scope, kind, period)] = number
                self._kinds[number] = kind
                if kind in MINUTE_KINDS:
                    self._minute.add(number)
            if all(place in self._numbers for place in places):
                return
            await self._side.fetch_all(ADD, columns)
        raise LimitsUnavailable(DOWN)

    async def _reap_behind(self) -> None:
        while True:
            await asyncio.sleep(REAP_EVERY_S)
            try:
                await self.reap()
            except psycopg.Error as error:
                LOG.warning("dead gateways are not looked for: %s", error)

    def _see_clock(self, moment_us: int, before_ns: int) -> None:
        now_ns = time.time_ns()
        if moment_us and 0 <= now_ns - before_ns < QUICK_NS:
            self._offset_us = moment_us - (before_ns + now_ns) // 2000
