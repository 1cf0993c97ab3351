"""Batches and their lines in the database. Knows the tables; knows nothing of models or HTTP."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.engine import reader
from zhengwu.db.tables import Batch, BatchLine, in_utc
from zhengwu.gateway.wire.batches.lines import Line
from zhengwu.gateway.wire.errors import NotNow, UnknownObject
from zhengwu.jobs.queue import put_job

JOB = "batch"
WINDOW = timedelta(hours=24)
OPEN = ("validating", "in_progress", "finalizing", "cancelling")
WAITING, DONE, FAILED = "waiting", "done", "failed"
MAX_OPEN = 100
"""As many batches as one owner may have under way."""
PLAIN = re.compile(r"[\w-]{1,48}", re.ASCII)


@dataclass(frozen=True)
class BatchState:
    """A batch as it stands."""

    id: str
    owner: str
    key_id: str
    endpoint: str
    input_file: str
    output_file: str | None
    error_file: str | None
    status: str
    declared: str | None
    note: Mapping[str, Any] | None
    errors: Sequence[Mapping[str, Any]] | None
    times: Mapping[str, int]
    created: datetime
    expires: datetime


@dataclass(frozen=True)
class Counts:
    """How its lines stand, and what the done ones took."""

    waiting: int = 0
    done: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class WaitingLine:
    """A line that is to be run."""

    number: int
    custom_id: str
    body: str
    attempts: int


@dataclass(frozen=True)
class AnsweredLine:
    """A line with its line of the output or error file; None where it was not run."""

    number: int
    custom_id: str
    answer: str | None


@dataclass(frozen=True)
class Ended:
    """How a line ended: `answer` is its line of the output or the error file."""

    number: int
    state: str
    answer: str
    input_tokens: int = 0
    output_tokens: int = 0


class BatchStore:
    """The batches of one database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reader = reader(engine)

    async def add(self, state: BatchState) -> None:
        """Keep a batch and the job that runs it, both or neither.

        Raises:
            NotNow: the owner has too many under way.
        """
        under_way = and_(Batch.owner == state.owner, Batch.status.in_(OPEN))
        async with self._engine.begin() as connection:
            count = await connection.scalar(select(func.count(Batch.id)).where(under_way))
            if (count or 0) >= MAX_OPEN:
                raise NotNow(f"同时进行的批次最多 {MAX_OPEN} 个，请等已有的批次完成。")
            await connection.execute(insert(Batch).values(**vars(state)))
            await put_job(connection, JOB, {"batch": state.id})

    async def get(self, owner: str | None, batch_id: str) -> BatchState:
        """One batch; None for the owner is the worker.

        Raises:
            UnknownObject: there is none of this id, or it is another's.
        """
        found: list[BatchState] = []
        if PLAIN.fullmatch(batch_id):
            mine = [Batch.owner == owner] if owner is not None else []
            found = await self._select(and_(Batch.id == batch_id, *mine), 1)
        if not found:
            raise UnknownObject(f"没有编号为“{batch_id[:60]}”的批次，请检查编号。", "batch_id")
        return found[0]

    async def page(self, owner: str, limit: int, after: str | None) -> list[BatchState]:
        """Batches, the newest first; `after` is an id to go on from."""
        where: ColumnElement[bool] = Batch.owner == owner
        if after is not None:
            last = await self.get(owner, after)
            older = and_(Batch.created == last.created, Batch.id < last.id)
            where = and_(where, (Batch.created < last.created) | older)
        return await self._select(where, limit)

    async def counts(self, batch_id: str) -> Counts:
        """How its lines stand."""
        tokens = (func.sum(BatchLine.input_tokens), func.sum(BatchLine.output_tokens))
        query = select(BatchLine.state, func.count(BatchLine.number), *tokens)
        query = query.where(BatchLine.batch == batch_id).group_by(BatchLine.state)
        async with self._reader.connect() as connection:
            rows = {row[0]: row for row in await connection.execute(query)}
        n = {state: int(row[1]) for state, row in rows.items()}
        return Counts(
            n.get(WAITING, 0),
            n.get(DONE, 0),
            n.get(FAILED, 0),
            sum(int(row[2]) for row in rows.values()),
            sum(int(row[3]) for row in rows.values()),
        )

    async def move(self, batch_id: str, source: Sequence[str], status: str, **values: Any) -> bool:
        """Bring a batch from one of the states `source` to `status`, with the time of it."""
        async with self._engine.begin() as connection:
            query = select(Batch.times).where(Batch.id == batch_id, Batch.status.in_(source))
            times = await connection.scalar(query.with_for_update())
            if times is None:
                return False
            stamped = {**times, f"{status}_at": int(time.time())}
            change = update(Batch).where(Batch.id == batch_id)
            await connection.execute(change.values(status=status, times=stamped, **values))
        return True

    async def cancel(self, owner: str, batch_id: str) -> BatchState:
        """Ask that a batch stops; the worker finishes what it has in hand.

        Raises:
            UnknownObject: the owner has none of this id.
            NotNow: it has ended.
        """
        state = await self.get(owner, batch_id)
        moved = await self.move(batch_id, ("validating", "in_progress"), "cancelling")
        state = await self.get(owner, batch_id)
        if not moved and state.status not in ("cancelling", "cancelled"):
            raise NotNow(f"批次已是“{state.status}”状态，不能取消。")
        return state

    async def clear(self, batch_id: str) -> None:
        """Forget the lines read so far: reading begins anew."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(BatchLine).where(BatchLine.batch == batch_id))

    async def add_lines(self, batch_id: str, lines: Sequence[Line]) -> None:
        """Keep lines that are to be run."""
        still = {"state": WAITING, "attempts": 0, "input_tokens": 0, "output_tokens": 0}
        rows = [{"batch": batch_id, **vars(line), **still} for line in lines]
        if rows:
            async with self._engine.begin() as connection:
                await connection.execute(insert(BatchLine), rows)

    async def waiting(self, batch_id: str, limit: int) -> list[WaitingLine]:
        """The next lines to run."""
        columns = (BatchLine.number, BatchLine.custom_id, BatchLine.body, BatchLine.attempts)
        query = select(*columns).where(BatchLine.batch == batch_id, BatchLine.state == WAITING)
        query = query.order_by(BatchLine.attempts, BatchLine.number).limit(limit)
        async with self._reader.connect() as connection:
            return [WaitingLine(*row) for row in await connection.execute(query)]

    async def tried(self, batch_id: str, number: int) -> None:
        """Count a try of a line that did not end it."""
        line = _line(batch_id, number)
        async with self._engine.begin() as connection:
            more = BatchLine.attempts + 1
            await connection.execute(update(BatchLine).where(line).values(attempts=more))

    async def end(self, batch_id: str, ended: Ended) -> None:
        """Keep how a line ended; when this returns it is on disk and is not run again."""
        values = {name: value for name, value in vars(ended).items() if name != "number"}
        async with self._engine.begin() as connection:
            line = _line(batch_id, ended.number)
            await connection.execute(update(BatchLine).where(line).values(**values))

    async def answers(
        self, batch_id: str, state: str, after: int, limit: int
    ) -> list[AnsweredLine]:
        """The answers of lines in a state, in order."""
        query = select(BatchLine.number, BatchLine.custom_id, BatchLine.answer).where(
            BatchLine.batch == batch_id, BatchLine.state == state, BatchLine.number > after
        )
        async with self._reader.connect() as connection:
            rows = await connection.execute(query.order_by(BatchLine.number).limit(limit))
            return [AnsweredLine(*row) for row in rows]

    async def _select(self, where: ColumnElement[bool], limit: int) -> list[BatchState]:
        query = select(Batch.__table__).where(where)
        query = query.order_by(Batch.created.desc(), Batch.id.desc()).limit(limit)
        async with self._reader.connect() as connection:
            return [_state(row) for row in await connection.execute(query)]


def _state(row: Row[Any]) -> BatchState:
    values: dict[str, Any] = {n: getattr(row, n) for n in BatchState.__dataclass_fields__}
    values |= {name: in_utc(values[name]) for name in ("created", "expires")}
    return BatchState(**values)


def _line(batch_id: str, number: int) -> ColumnElement[bool]:
    return and_(BatchLine.batch == batch_id, BatchLine.number == number, BatchLine.state == WAITING)
