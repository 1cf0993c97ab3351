"""The job table as a queue: put, lease, report, finish. Knows no kind of job.

A job is leased for a time and the lease is renewed while it runs, so what a killed worker held
is taken up again; after `MAX_ATTEMPTS` leases it is failed with a reason, never lost.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from zhengwu.db.engine import reader
from zhengwu.db.tables import Job, now

LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Leased:
    """A job in the hands of one worker."""

    id: int
    kind: str
    payload: dict[str, Any]
    attempts: int


@dataclass(frozen=True)
class JobState:
    """A job as anyone may see it: queued, running, done or failed."""

    status: str
    progress: float
    result: dict[str, Any] | None
    error: str | None


@dataclass(frozen=True)
class Lane:
    """The kinds of job that one worker takes: `only` these, or all but these."""

    kinds: Collection[str] = ()
    only: bool = False

    def holds(self) -> ColumnElement[bool]:
        """The condition on a job."""
        return Job.kind.in_(self.kinds) if self.only else Job.kind.not_in(self.kinds)


EVERY = Lane()


class JobQueue:
    """The queue over one database. Safe for several workers on PostgreSQL and SQLite."""

    def __init__(self, engine: AsyncEngine, worker: str = "cli", lane: Lane = EVERY) -> None:
        """`lane`: which kinds this worker takes."""
        self._engine = engine
        self._worker = worker
        self._lane = lane

    async def put(self, kind: str, payload: dict[str, Any]) -> int:
        """Add a job; when this returns it is on disk."""
        async with self._engine.begin() as connection:
            return await put_job(connection, kind, payload)

    async def lease(self) -> Leased | None:
        """Take the oldest job that is due, or whose lease lapsed; None where there is none."""
        async with self._engine.begin() as connection:
            while (
                row := (await connection.execute(_oldest_due(now(), self._lane))).first()
            ) is not None:
                if row.attempts < MAX_ATTEMPTS:
                    break
                reason = f"处理进程已中断 {row.attempts} 次，不再自动重试；请检查原文件后重新提交"
                await connection.execute(_finish(Job.id == row.id, "failed", error=reason))
            else:
                return None
            await connection.execute(
                update(Job)
                .where(Job.id == row.id)
                .values(
                    status="running",
                    attempts=row.attempts + 1,
                    worker=self._worker,
                    lease_until=now() + LEASE,
                )
            )
            return Leased(row.id, row.kind, row.payload, row.attempts + 1)

    async def renew(self, job: Leased, progress: float) -> None:
        """Say that the job is still worked on, and how far it is (0 to 1)."""
        await self._run(
            update(Job).where(_held(job)).values(lease_until=now() + LEASE, progress=progress)
        )

    async def done(self, job: Leased, result: dict[str, Any]) -> None:
        """Close the job with its result; nothing happens when another worker took it up."""
        await self._run(_finish(_held(job), "done", result=result))

    async def again(self, job: Leased, after: timedelta) -> None:
        """Give the job back, to be taken up `after` a while: it goes on, it did not fail."""
        values = {"status": "queued", "attempts": 0, "due": now() + after, "lease_until": None}
        await self._run(update(Job).where(_held(job)).values(**values))

    async def failed(self, job: Leased, error: str) -> None:
        """Close the job with the reason of its failure, unless another worker took it up."""
        await self._run(_finish(_held(job), "failed", error=error))

    async def look(self, job: int) -> JobState:
        """How far the job `job` is, or how it ended."""
        query = select(Job.status, Job.progress, Job.result, Job.error).where(Job.id == job)
        async with reader(self._engine).connect() as connection:
            return JobState(*(await connection.execute(query)).one())

    async def counts(self) -> dict[str, int]:
        """How many jobs there are by status."""
        query = select(Job.status, func.count()).group_by(Job.status).order_by(Job.status)
        async with reader(self._engine).connect() as connection:
            return {status: count for status, count in await connection.execute(query)}

    async def _run(self, statement: Any) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(statement)


async def put_job(connection: AsyncConnection, kind: str, payload: dict[str, Any]) -> int:
    """Add a job in a transaction of the caller's: both are there, or neither."""
    added = await connection.execute(
        Job.__table__.insert().values(kind=kind, payload=payload)  # pyright: ignore[reportAttributeAccessIssue]
    )
    key = added.inserted_primary_key
    assert key is not None, "an insert of one row has a key"
    return int(key[0])


def _oldest_due(moment: datetime, lane: Lane) -> Select[int, str, dict[str, Any], int]:
    due = or_(
        and_(Job.status == "queued", Job.due <= moment),
        and_(Job.status == "running", Job.lease_until < moment),
    )
    pick = select(Job.id, Job.kind, Job.payload, Job.attempts).where(due, lane.holds())
    return pick.order_by(Job.due, Job.id).limit(1).with_for_update(skip_locked=True)


def _held(job: Leased) -> ColumnElement[bool]:
    """The job while this very lease of it is the newest: `attempts` tells leases apart."""
    return and_(Job.id == job.id, Job.status == "running", Job.attempts == job.attempts)


def _finish(
    which: ColumnElement[bool],
    status: str,
    result: dict[str, Any] | None = None,
    error: str | None = None,
) -> Update:
    finished: datetime = now()
    values = {"status": status, "result": result, "error": error, "finished": finished}
    return update(Job).where(which).values(**values, lease_until=None)
