"""Keys: shown once, kept as digests, rotated with an overlap, revoked at once."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.tenancy.desk import AUDIT, HOST, SECURITY, SYSTEM, gateway_on

from zhengwu.db.tables import AdminActionRow, ApiKey
from zhengwu.gateway.errors import KeyRefused
from zhengwu.gateway.tenancy.actions import TableTrail
from zhengwu.gateway.tenancy.bounds import Bounds
from zhengwu.gateway.tenancy.errors import (
    BadName,
    BadValue,
    BoundsExceeded,
    Forbidden,
    UnknownKey,
    UnknownTenant,
)
from zhengwu.gateway.tenancy.keys import NewKey, digest, ensure_admin_key


async def test_a_key_is_shown_once_and_kept_as_a_digest(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        secret, record = await here.office.keys.create(HOST, NewKey("办公系统"))
        assert re.fullmatch(r"zw-[A-Za-z0-9_-]{43}", secret)
        async with engine.connect() as connection:
            row = (await connection.execute(select(ApiKey.__table__))).one()
        assert row.digest == digest(secret)
        assert secret not in str(row)
        assert (await here.callers.caller(secret)).key_id == record.id
        assert await here.office.keys.list(HOST) == [record]


async def test_revoking(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        keys = here.office.keys
        secret, record = await keys.create(HOST, NewKey("办公系统"))
        await here.callers.caller(secret)
        revoked = await keys.revoke(HOST, record.id)
        assert revoked.revoked is not None
        assert (await keys.revoke(HOST, record.id)).revoked == revoked.revoked
        for _ in range(2):
            with pytest.raises(KeyRefused, match="吊销"):
                await here.callers.caller(secret)
        with pytest.raises(UnknownKey, match="zhengwu key list"):
            await keys.revoke(HOST, "nobody")


async def test_a_key_past_its_date_also_where_it_is_remembered(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        end = datetime.fromtimestamp(here.clock.now + 3600, UTC)
        secret, record = await here.office.keys.create(HOST, NewKey("试用", expires=end))
        assert record.expires == end
        assert (await here.callers.caller(secret)).name == "试用"
        here.clock.now += 3600
        with pytest.raises(KeyRefused, match="过期"):
            await here.callers.caller(secret)
        await here.callers.forget()
        with pytest.raises(KeyRefused, match="过期"):
            await here.callers.caller(secret)
        here.clock.now -= 7200  # a clock that was put back lets nobody in for longer than said
        await here.callers.forget()
        assert (await here.callers.caller(secret)).key_id == record.id


async def test_rotation_has_an_overlap_and_then_an_end(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        keys = here.office.keys
        first, record = await keys.create(HOST, NewKey("办公系统"))
        second, rotated = await keys.rotate(HOST, record.id, timedelta(hours=1))
        assert rotated.id == record.id and rotated.old_until is not None
        here.clock.now = rotated.old_until.timestamp() - 1
        for secret in (first, second):
            assert (await here.callers.caller(secret)).key_id == record.id
        third, _ = await keys.rotate(HOST, record.id, timedelta(0))
        with pytest.raises(KeyRefused, match="无效"):
            await here.callers.caller(first)
        assert await here.callers.caller(third)
        here.clock.now += 3600
        with pytest.raises(KeyRefused, match="轮换"):
            await here.callers.caller(second)


async def test_two_rotations_at_once_leave_the_newest_two_secrets(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        keys = here.office.keys
        first, record = await keys.create(HOST, NewKey("办公系统"))
        rotated = await asyncio.gather(
            *(keys.rotate(HOST, record.id, timedelta(hours=1)) for _ in range(2))
        )
        for secret, _ in rotated:
            assert (await here.callers.caller(secret)).key_id == record.id
        with pytest.raises(KeyRefused):
            await here.callers.caller(first)


async def test_what_a_key_may_not_be(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        keys = here.office.keys
        past = datetime(2020, 1, 1, tzinfo=UTC)
        for new, error in (
            (NewKey("甲", role="root"), BadValue),
            (NewKey("甲", role="audit_admin"), BadValue),
            (NewKey("甲", role="host"), BadValue),
            (NewKey("", role="developer"), BadName),
            (NewKey("甲" * 101), BadName),
            (NewKey("甲\u202e乙"), BadName),
            (NewKey("甲", tenant="nowhere"), UnknownTenant),
            (NewKey("甲", expires=past), BadValue),
            (NewKey("甲", bounds=Bounds(grade_ceiling=4)), BadValue),
        ):
            with pytest.raises(error):
                await keys.create(HOST, new)
        with pytest.raises(Forbidden):
            await keys.create(SYSTEM, NewKey("甲", role="system_admin"))
        for actor in (SECURITY, AUDIT):
            with pytest.raises(Forbidden):
                await keys.create(actor, NewKey("甲"))
        _, record = await keys.create(SYSTEM, NewKey("甲"))
        with pytest.raises(BadValue, match="30"):
            await keys.rotate(HOST, record.id, timedelta(days=31))
        await keys.revoke(SECURITY, record.id)
        with pytest.raises(BadValue, match="吊销"):
            await keys.rotate(HOST, record.id, timedelta(0))


async def test_a_key_exceeds_its_tenant_in_nothing(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        await here.office.tenants.update(HOST, "root", {"grade_ceiling": 2, "models": ["chat"]})
        create = here.office.keys.create
        for bounds in (Bounds(grade_ceiling=3), Bounds(models=frozenset({"chat", "reasoning"}))):
            with pytest.raises(BoundsExceeded, match="超出上级单位"):
                await create(HOST, NewKey("甲", bounds=bounds))
        fitting = Bounds(1, frozenset({"chat"}), {"concurrency": 4})
        secret, _ = await create(HOST, NewKey("甲", bounds=fitting))
        caller = await here.callers.caller(secret)
        assert (caller.grade_ceiling, caller.models) == (1, frozenset({"chat"}))
        assert [limit.scope[:4] for limit in caller.limits] == ["key:"]


async def test_the_first_admin_key_is_made_once(engine: AsyncEngine) -> None:
    made = await asyncio.gather(*(ensure_admin_key(engine, TableTrail()) for _ in range(4)))
    [secret] = [one for one in made if one]
    async with gateway_on(engine) as here:
        caller = await here.callers.caller(secret)
        assert caller.role == "system_admin"
        await here.office.keys.revoke(HOST, caller.key_id)
    assert await ensure_admin_key(engine, TableTrail()) is None


async def test_when_a_key_was_used_is_written_in_groups(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        made = [await here.office.keys.create(HOST, NewKey(f"应用{n}")) for n in range(3)]
        for secret, _ in made[:2]:
            for _ in range(5):
                await here.callers.caller(secret)
        assert all(key.last_used is None for key in await here.office.keys.list(HOST))
        await here.callers.note_used()
        used = {key.id: key.last_used for key in await here.office.keys.list(HOST)}
        moment = datetime.fromtimestamp(here.clock.now, UTC)
        assert [used[record.id] for _, record in made] == [moment, moment, None]


async def test_every_change_of_a_key_is_recorded_and_stays(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        _, record = await here.office.keys.create(SYSTEM, NewKey("甲"))
        await here.office.keys.rotate(SYSTEM, record.id, timedelta(0))
        await here.office.keys.revoke(SECURITY, record.id)
    async with engine.connect() as connection:
        rows = (await connection.execute(select(AdminActionRow.__table__))).all()
    assert [(row.actor, row.action, row.target) for row in rows] == [
        ("user:s", "key.create", f"key:{record.id}"),
        ("user:s", "key.rotate", f"key:{record.id}"),
        ("user:a", "key.revoke", f"key:{record.id}"),
    ]
    assert rows[0].after == rows[1].before != rows[1].after == rows[2].before
    assert rows[0].before == ""
