"""Other pools in the database: registered, asked after, and their quotas counted.

Knows the table and the clock of China's days; opens no connection but `check`'s through Outbound.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import case, delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from zhengwu.db.tables import RemotePool
from zhengwu.errors import OutboundError
from zhengwu.models.cards import Price
from zhengwu.models.errors import CatalogueError
from zhengwu.models.pools import PoolCard, Standing
from zhengwu.outbound import Outbound

CHINA = ZoneInfo("Asia/Shanghai")
DOWN_AFTER = 2
"""Checks that fail in a row; one answer is enough to be up again."""


def china_today() -> date:
    """The day quotas count by."""
    return datetime.now(CHINA).date()


class PoolRegister:
    """The pools that were registered."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def put(self, card: PoolCard) -> None:
        """Register a pool, or change it; what it spent and how it is doing stay."""
        fields = _row(card)
        async with AsyncSession(self._engine) as session, session.begin():
            row = await session.get(RemotePool, card.name, with_for_update=True)
            if row is None:
                session.add(RemotePool(name=card.name, spent_tokens=0, failures=0, **fields))
                return
            for name, value in fields.items():
                setattr(row, name, value)

    async def remove(self, name: str) -> None:
        """Forget a pool.

        Raises:
            CatalogueError: there is none of that name; names those there are.
        """
        async with AsyncSession(self._engine) as session, session.begin():
            gone = await session.scalar(
                delete(RemotePool).where(RemotePool.name == name).returning(RemotePool.name)
            )
            if gone is None:
                names = await session.scalars(select(RemotePool.name).order_by(RemotePool.name))
                raise CatalogueError(
                    f"没有名为“{name}”的外部池，已登记：{'、'.join(names) or '无'}"
                )

    async def standings(self) -> tuple[Standing, ...]:
        """Every pool and how it is doing, by name."""
        async with AsyncSession(self._engine) as session:
            rows = await session.scalars(select(RemotePool).order_by(RemotePool.name))
            return tuple(_standing(row, china_today()) for row in rows)

    async def spend(self, name: str, tokens: int) -> None:
        """Count tokens against today's quota; exact over any number of gateways."""
        today = china_today()
        same_day = RemotePool.spent_day == today
        counted = case((same_day, RemotePool.spent_tokens + tokens), else_=tokens)
        async with AsyncSession(self._engine) as session, session.begin():
            await session.execute(
                update(RemotePool)
                .where(RemotePool.name == name)
                .values(spent_tokens=counted, spent_day=today)
            )

    async def record(self, name: str, failure: str | None) -> None:
        """Write down one check: None is well."""
        failures = 0 if failure is None else RemotePool.failures + 1
        down = (RemotePool.failures + 1 >= DOWN_AFTER, False)
        values: dict[str, Any] = {
            "failures": failures,
            "message": failure or "",
            "checked": datetime.now(UTC),
            "healthy": True if failure is None else case(down, else_=RemotePool.healthy),
        }
        async with AsyncSession(self._engine) as session, session.begin():
            await session.execute(
                update(RemotePool).where(RemotePool.name == name).values(**values)
            )


async def check(register: PoolRegister, outbound: Outbound, keys: Mapping[str, str]) -> None:
    """Ask every pool at once whether it works, and write down what it says.

    Args:
        register: the pools.
        outbound: an open client of purpose `pool`.
        keys: where the variables named by `key_env` are looked up.
    """

    async def one(card: PoolCard) -> None:
        await register.record(card.name, await _failure(card, outbound, keys))

    await asyncio.gather(*(one(standing.card) for standing in await register.standings()))


async def watch(
    register: PoolRegister, outbound: Outbound, keys: Mapping[str, str], every_s: float = 10.0
) -> None:
    """`check` again and again, until cancelled."""
    while True:
        await check(register, outbound, keys)
        await asyncio.sleep(every_s)


async def _failure(card: PoolCard, outbound: Outbound, keys: Mapping[str, str]) -> str | None:
    key = keys.get(card.key_env) if card.key_env else None
    headers = {"Authorization": f"Bearer {key}"} if key else None
    try:
        async with outbound.get(card.health_url, headers) as answer:
            return None if answer.status == 200 else f"健康检查返回 HTTP {answer.status}"
    except OutboundError as error:
        return str(error)


def _row(card: PoolCard) -> dict[str, Any]:
    fields = card.model_dump(exclude={"name", "price"})
    price = card.price
    return {
        **fields,
        "input_price": price.input if price else None,
        "output_price": price.output if price else None,
        "price_as_of": price.as_of if price else None,
    }


def _standing(row: RemotePool, today: date) -> Standing:
    price = None
    if row.input_price is not None and row.output_price is not None and row.price_as_of:
        price = Price(input=row.input_price, output=row.output_price, as_of=row.price_as_of)
    card = PoolCard(
        name=row.name,
        base_url=row.base_url,
        health_url=row.health_url,
        region=row.region,
        locality=row.locality,
        grade_ceiling=row.grade_ceiling,
        privately_deployed=row.privately_deployed,
        key_env=row.key_env,
        price=price,
        tokens_per_day=row.tokens_per_day,
        slots=row.slots,
        models=row.models,
    )
    spent = row.spent_tokens if row.spent_day == today else 0
    return Standing(card, row.healthy, spent, row.message)
