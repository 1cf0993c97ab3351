"""Who calls, from memory: changes of this process and of others, and a database that is down."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.tenancy.desk import HOST, gateway_on, until

from zhengwu.gateway.errors import KeyRefused
from zhengwu.gateway.tenancy.bounds import Bounds
from zhengwu.gateway.tenancy.callers import Callers
from zhengwu.gateway.tenancy.changes import Changes
from zhengwu.gateway.tenancy.errors import AuthUnavailable, TenantSuspended
from zhengwu.gateway.tenancy.keys import NewKey, new_secret
from zhengwu.gateway.tenancy.tenants import NewTenant


class Queries:
    """Counts statements on a database, or makes each of them fail."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.seen = 0
        self.down = False
        event.listen(engine.sync_engine, "before_cursor_execute", self._before)

    def _before(self, *_: object) -> None:
        self.seen += 1
        if self.down:
            raise OperationalError("SELECT", {}, ConnectionRefusedError("down"))


def still(engine: AsyncEngine) -> Changes:
    """Changes that are looked at once, for a test that counts queries."""
    return Changes(engine, clock=lambda: 0.0)


async def test_a_known_key_asks_the_database_nothing(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        secret, _ = await here.office.keys.create(HOST, NewKey("甲"))
        await here.changes.look()
        first = await here.callers.caller(secret)
        queries = Queries(engine)
        callers = await asyncio.gather(*(here.callers.caller(secret) for _ in range(500)))
        assert queries.seen < 10  # looks at the counters
        assert all(caller is first for caller in callers)


async def test_many_who_come_at_once_are_loaded_once(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        secret, _ = await here.office.keys.create(HOST, NewKey("甲"))
        queries = Queries(engine)
        await asyncio.gather(*(here.callers.caller(secret) for _ in range(200)))
        assert queries.seen < 12


async def test_what_another_process_changed_shows_here(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here, gateway_on(engine) as there:
        secret, record = await here.office.keys.create(HOST, NewKey("甲"))
        await there.callers.caller(secret)
        await here.office.keys.revoke(HOST, record.id)

        async def refused() -> bool:
            try:
                await there.callers.caller(secret)
            except KeyRefused:
                return True
            return False

        await until(refused, 2.0)
        fresh, _ = await here.office.keys.create(HOST, NewKey("乙"))
        assert (await there.callers.caller(fresh)).name == "乙"


async def test_it_shows_too_where_nobody_looks_by_itself(engine: AsyncEngine) -> None:
    """An event loop that was held up: what is older than 1.5 s vouches for nothing."""
    clock = [0.0]
    async with gateway_on(engine) as here:
        secret, record = await here.office.keys.create(HOST, NewKey("甲"))
        changes = Changes(engine, clock=lambda: clock[0])
        there = Callers(engine, changes)
        await there.caller(secret)
        await here.office.keys.revoke(HOST, record.id)
        assert await there.caller(secret)
        clock[0] += 1.5
        with pytest.raises(KeyRefused, match="吊销"):
            await there.caller(secret)


async def test_a_caller_read_before_a_change_is_not_remembered_after_it(
    engine: AsyncEngine,
) -> None:
    async with gateway_on(engine) as here:
        secret, _ = await here.office.keys.create(HOST, NewKey("甲"))
        loading = asyncio.create_task(here.callers.caller(secret))
        while not loading.done():
            await here.callers.forget()
            await asyncio.sleep(0)
        await loading
        queries = Queries(engine)
        await here.callers.caller(secret)
        assert queries.seen > 0


@pytest.mark.parametrize("secret", ["", "zw-", "zw-wrong", "sk-" + "a" * 43, "zw-" + "a" * 10**5])
async def test_what_is_no_key_costs_no_query(engine: AsyncEngine, secret: str) -> None:
    queries = Queries(engine)
    with pytest.raises(KeyRefused):
        await Callers(engine, still(engine)).caller(secret)
    assert queries.seen == 0


async def test_guesses_are_remembered_shortly_and_not_without_bound(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        callers = Callers(engine, still(engine), max_callers=2, max_refused=3)
        guess = new_secret()
        for _ in range(2):
            with pytest.raises(KeyRefused, match="无效"):
                await callers.caller(guess)
        queries = Queries(engine)
        with pytest.raises(KeyRefused, match="无效"):
            await callers.caller(guess)
        assert queries.seen == 0
        for _ in range(10):
            with pytest.raises(KeyRefused):
                await callers.caller(new_secret())
        for n in range(4):
            secret, _ = await here.office.keys.create(HOST, NewKey(f"应用{n}"))
            await callers.caller(secret)
        assert callers.held == (2, 3)


async def test_while_the_database_is_down(engine: AsyncEngine) -> None:
    clock = [100.0]
    async with gateway_on(engine) as here:
        secret, _ = await here.office.keys.create(HOST, NewKey("甲"))
        other, _ = await here.office.keys.create(HOST, NewKey("乙"))
        changes = Changes(engine, clock=lambda: clock[0])
        callers = Callers(engine, changes, grace_s=60)
        await callers.caller(secret)
        queries = Queries(engine)
        queries.down = True
        clock[0] += 2
        assert (await callers.caller(secret)).name == "甲"
        for unknown in (other, new_secret()):
            with pytest.raises(AuthUnavailable, match="稍后重试"):
                await callers.caller(unknown)
        clock[0] += 57
        assert (await callers.caller(secret)).name == "甲"
        clock[0] += 2
        with pytest.raises(AuthUnavailable):
            await callers.caller(secret)
        queries.down = False
        assert await changes.look()
        assert (await callers.caller(secret)).name == "甲"
        assert (await callers.caller(other)).name == "乙"
        queries.down = True
        clock[0] += 1
        with pytest.raises(AuthUnavailable):  # fresh, yet this one must be read
            await callers.caller(new_secret())
        queries.down = False


async def test_a_caller_carries_everything_of_its_path(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        tenants = here.office.tenants
        city = await tenants.create(HOST, NewTenant("示范市", level="city", cost_centre="C-1"))
        office = await tenants.create(HOST, NewTenant("民政局", city.id))
        await tenants.update(HOST, "root", {"limits": {"requests_per_minute": 600}})
        await tenants.update(
            HOST,
            city.id,
            {"grade_ceiling": 2, "priority": 0, "limits": {"requests_per_minute": 60}},
        )
        bounds = Bounds(models=frozenset({"chat"}), limits={"concurrency": 2})
        secret, record = await here.office.keys.create(
            HOST, NewKey("甲", tenant=office.id, bounds=bounds)
        )
        caller = await here.callers.caller(secret)
        assert caller.tenant_path == ("root", city.id, office.id)
        assert (caller.grade_ceiling, caller.priority, caller.cost_centre) == (2, 0, "C-1")
        assert caller.models == {"chat"}
        assert not caller.pseudonymise and not caller.keep_text
        assert [(limit.scope, limit.amount) for limit in caller.limits] == [
            ("tenant:root", 600),
            (f"tenant:{city.id}", 60),
            (f"key:{record.id}", 2),
        ]
        await tenants.update(HOST, city.id, {"state": "suspended"})
        with pytest.raises(TenantSuspended, match="示范市"):
            await here.callers.caller(secret)
        await tenants.update(HOST, city.id, {"state": "active"})
        assert await here.callers.caller(secret)


async def test_an_old_secret_that_is_remembered_ends_with_the_overlap(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        old, record = await here.office.keys.create(HOST, NewKey("甲"))
        _, rotated = await here.office.keys.rotate(HOST, record.id, timedelta(minutes=1))
        await here.callers.caller(old)
        assert rotated.old_until is not None
        here.clock.now = rotated.old_until.timestamp()
        with pytest.raises(KeyRefused, match="轮换"):
            await here.callers.caller(old)
