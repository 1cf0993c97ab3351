"""The counters of SQLite's one gateway as the database has them. Knows tables; knows no journal."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import delete, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from zhengwu.db.engine import reader
from zhengwu.db.tables import LimitCounter, LimitGateway, LimitHold, LimitLapse
from zhengwu.gateway.governed.caller import LimitKind
from zhengwu.gateway.limits.ports import Place
from zhengwu.gateway.limits.tally import Tally

LOCAL = "local"
"""The id of the one gateway."""


@dataclass(frozen=True)
class Row:
    """A counter: what is used and held of it."""

    id: int
    place: Place
    used: int
    held: int


@dataclass(frozen=True)
class Base:
    """Counters as they are at a position of the journal. `last`: the highest id ever given."""

    position: int
    rows: tuple[Row, ...]
    last: int = 0

    @classmethod
    def of(cls, position: int, tallies: Iterable[tuple[int, Tally]]) -> "Base":
        """A picture of `tallies` now. What a minute holds is not in it."""
        rows = tuple(
            Row(number, t.place, t.used if t.slots is None else 0, t.held) for number, t in tallies
        )
        return cls(position, rows)

    def tallies(self) -> Iterator[tuple[int, Tally]]:
        """The counters, to count on with."""
        for row in self.rows:
            yield row.id, Tally(row.place, row.used, row.held)


async def read_base(engine: AsyncEngine) -> Base:
    """What the database has."""
    async with reader(engine).connect() as connection:
        position = await connection.scalar(select(LimitGateway.seq).where(LimitGateway.id == LOCAL))
        last = await connection.scalar(select(func.max(LimitCounter.id)))
        held = dict(
            row.tuple()
            for row in await connection.execute(
                select(LimitHold.counter, LimitHold.amount).where(LimitHold.gateway == LOCAL)
            )
        )
        found = await connection.execute(
            select(
                LimitCounter.id,
                LimitCounter.scope,
                LimitCounter.kind,
                LimitCounter.period,
                LimitCounter.used,
            )
        )
        rows = tuple(
            Row(id_, Place(scope, cast(LimitKind, kind), period), used, held.get(id_, 0))
            for id_, scope, kind, period, used in found
        )
    return Base(position or 0, rows, last or 0)


async def write_base(
    engine: AsyncEngine,
    base: Base,
    lapsed: Sequence[tuple[int, int]] = (),
    moment_us: int = 0,
) -> None:
    """Keep `base` and what lapsed (counter, amount), in one transaction."""
    async with engine.begin() as connection:
        await _write_counters(connection, base.rows)
        place = upsert(LimitGateway).values(
            id=LOCAL,
            name=LOCAL,
            seq=base.position,
            moment=moment_us,
            failing="",
            lease_until=0,
            leased_in="",
        )
        await connection.execute(
            place.on_conflict_do_update(index_elements=["id"], set_={"seq": base.position})
        )
        if lapsed:
            await connection.execute(
                insert(LimitLapse),
                [
                    {"gateway": LOCAL, "counter": c, "amount": a, "moment": moment_us}
                    for c, a in lapsed
                ],
            )


async def _write_counters(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    if not rows:
        return
    counters = upsert(LimitCounter)
    await connection.execute(
        counters.on_conflict_do_update(
            index_elements=["id"], set_={"used": counters.excluded.used}
        ),
        [
            {
                "id": row.id,
                "scope": row.place.scope,
                "kind": row.place.kind,
                "period": row.place.period,
                "used": row.used,
                "swept": 0,
            }
            for row in rows
        ],
    )
    ids = [row.id for row in rows]
    for start in range(0, len(ids), 500):  # SQLite bounds the values of one statement
        some = LimitHold.counter.in_(ids[start : start + 500])
        await connection.execute(delete(LimitHold).where(LimitHold.gateway == LOCAL, some))
    holds = [{"gateway": LOCAL, "counter": r.id, "amount": r.held} for r in rows if r.held]
    if holds:
        await connection.execute(insert(LimitHold), holds)
