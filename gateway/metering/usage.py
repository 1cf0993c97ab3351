"""Sums of usage by day, tenant, key and model. Reads what the audit chain added up."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields
from typing import Literal

from sqlalchemy import func, literal, select
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.engine import reader
from zhengwu.db.tables import UsageDay
from zhengwu.gateway.audit.span import Days

Group = Literal["day", "tenant", "key", "model"]
GROUPS: tuple[Group, ...] = ("day", "tenant", "key", "model")
_COLUMNS = {
    "day": UsageDay.day,
    "tenant": UsageDay.tenant,
    "key": UsageDay.key_id,
    "model": UsageDay.model,
}
MOST_ROWS = 100_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Used:
    """One row of a report. What it is not grouped by is empty. `cost` is micro-yuan."""

    day: str
    tenant: str
    key: str
    model: str
    requests: int
    failed: int
    input_tokens: int
    output_tokens: int
    cost: int
    energy_wh: float
    co2e_g: float


async def usage(
    engine: AsyncEngine,
    days: Days,
    by: Sequence[Group] = GROUPS,
    tenant: str | None = None,
    key: str | None = None,
    model: str | None = None,
) -> list[Used]:
    """The sums of `days`, one row for each combination of `by`.

    Args:
        engine: the database.
        days: in China's time.
        by: what to keep apart.
        tenant: only this tenant and everything below it.
        key: only this key.
        model: only this model.
    """
    groups = [_COLUMNS[name] if name in by else literal("") for name in GROUPS]
    sums = [func.sum(getattr(UsageDay, field.name)) for field in fields(Used)[len(GROUPS) :]]
    query = select(*groups, *sums)
    if days.first:
        query = query.where(UsageDay.day >= days.first)
    if days.last:
        query = query.where(UsageDay.day <= days.last)
    if tenant:
        query = query.where(UsageDay.path.contains(f"/{tenant}/", autoescape=True))
    if key:
        query = query.where(UsageDay.key_id == key)
    if model:
        query = query.where(UsageDay.model == model)
    kept = [_COLUMNS[name] for name in GROUPS if name in by]
    query = query.group_by(*kept).order_by(*kept).limit(MOST_ROWS)
    async with reader(engine).connect() as connection:
        rows = (await connection.execute(query)).all()
    return [_used(tuple(row)) for row in rows if row[len(GROUPS)] is not None]


def as_csv(rows: Sequence[Used]) -> str:
    """The rows as CSV with a head line. A cell that a spreadsheet would run is quoted."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([field.name for field in fields(Used)])
    for row in rows:
        writer.writerow([_cell(value) for value in astuple(row)])
    return out.getvalue()


def as_dicts(rows: Sequence[Used]) -> list[dict[str, object]]:
    """The rows as plain values."""
    return [asdict(row) for row in rows]


def _used(row: Sequence[object]) -> Used:
    day, tenant, key, model = (str(value) for value in row[:4])
    requests, failed, tokens_in, tokens_out, cost = (int(str(value)) for value in row[4:9])
    energy, emitted = (round(float(str(value)), 6) for value in row[9:])
    return Used(
        day, tenant, key, model, requests, failed, tokens_in, tokens_out, cost, energy, emitted
    )


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
