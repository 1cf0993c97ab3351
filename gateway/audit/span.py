"""A stretch of the chain: the records from one day to another, and what stands before them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from zhengwu.db.tables import AuditRecord
from zhengwu.gateway.audit.digest import EMPTY
from zhengwu.gateway.audit.errors import BadRange
from zhengwu.gateway.audit.seal import State


@dataclass(frozen=True)
class Days:
    """From one day to another, both included, in China's time; None is open.

    Raises:
        BadRange: the first is after the last.
    """

    first: date | None = None
    last: date | None = None

    def __post_init__(self) -> None:
        """Check the order."""
        if self.first and self.last and self.first > self.last:
            raise BadRange(f"起始日期 {self.first} 晚于结束日期 {self.last}，请对调后重试。")

    @property
    def whole(self) -> bool:
        """Whether neither end is set."""
        return self.first is None and self.last is None


def days_of(first: date | None, last: date | None) -> Days:
    """Days from dates or from moments at their beginning."""
    return Days(_date(first), _date(last))


def _date(value: date | None) -> date | None:
    return value.date() if isinstance(value, datetime) else value


@dataclass(frozen=True)
class Span:
    """Records after number `after`, whose digest is `before`, up to number `last`.

    Records stand in the order in which they were moved, so a span may hold a few of other days.
    """

    after: int
    before: str
    last: int


async def find_span(connection: AsyncConnection, state: State, days: Days) -> Span:
    """The span that holds every record of `days`."""
    whole = Span(state.pruned_seq, state.pruned_digest, state.seq)
    if days.whole:
        return whole
    query = select(func.min(AuditRecord.seq), func.max(AuditRecord.seq))
    if days.first:
        query = query.where(AuditRecord.day >= days.first)
    if days.last:
        query = query.where(AuditRecord.day <= days.last)
    first, last = cast(
        tuple[int | None, int | None], tuple((await connection.execute(query)).one())
    )
    if first is None or last is None:
        return Span(state.seq, state.digest, state.seq)
    if first - 1 == state.pruned_seq:
        return Span(state.pruned_seq, state.pruned_digest, last)
    before = await connection.scalar(select(AuditRecord.digest).where(AuditRecord.seq == first - 1))
    return Span(first - 1, before or EMPTY, last)
