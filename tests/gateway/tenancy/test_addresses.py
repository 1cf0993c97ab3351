"""The address list in the database: editions, and every gateway that follows them."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.tenancy.desk import AUDIT, SECURITY, SYSTEM, gateway_on, until

from zhengwu.db.tables import PoolAddressList
from zhengwu.gateway.tenancy.addresses import follow
from zhengwu.gateway.tenancy.errors import BadValue, Forbidden
from zhengwu.models.addresses import PoolAddresses


class Taking:
    """Takes lists as an egress does."""

    def __init__(self) -> None:
        self.entries: tuple[str, ...] = ()

    async def use_pool(self, entries: Sequence[str]) -> None:
        PoolAddresses(entries)
        self.entries = tuple(entries)


async def test_every_gateway_follows(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here, gateway_on(engine) as there:
        takes = Taking(), Taking()
        for gateway, taking in zip((here, there), takes, strict=True):
            await follow(gateway.office.addresses, gateway.changes, taking)
        assert [t.entries for t in takes] == [("127.0.0.1",)] * 2
        await here.office.addresses.replace(SECURITY, ["10.20.0.0/16", "gpu-a:8901"], 0)
        assert takes[0].entries == ("10.20.0.0/16", "gpu-a:8901")

        async def followed() -> bool:
            return takes[1].entries == takes[0].entries

        await until(followed, 2.0)


async def test_only_the_security_administrator_and_only_from_the_newest(
    engine: AsyncEngine,
) -> None:
    async with gateway_on(engine) as here:
        book = here.office.addresses
        for actor in (SYSTEM, AUDIT):
            with pytest.raises(Forbidden):
                await book.read(actor)
            with pytest.raises(Forbidden):
                await book.replace(actor, ["10.0.0.1"], 0)
        for wrong in ([], ["::/0"], ["a b"], ["10.0.0.1"] * 1001, ["x" * 100_000]):
            with pytest.raises(BadValue):
                await book.replace(SECURITY, wrong, 0)
        done = await asyncio.gather(
            *(book.replace(SECURITY, [f"10.0.0.{n}"], 0) for n in range(1, 5)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, BadValue) for one in done) == 3
        edition = await book.read(SECURITY)
        assert edition.number > 0 and edition.actor == "user:a"


async def test_a_list_written_round_the_program_leaves_the_old_one_in_force(
    engine: AsyncEngine,
) -> None:
    async with gateway_on(engine) as here:
        taking = Taking()
        await follow(here.office.addresses, here.changes, taking)
        async with here.office.writes.change("addresses") as session:
            session.add(PoolAddressList(entries=["0.0.0.0/0"], actor="nobody"))
        assert taking.entries == ("127.0.0.1",)
        assert here.changes.fresh
