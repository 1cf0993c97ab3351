"""The tree: what makes one, what fits below what, and that no change widens what it should not."""

import asyncio
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.tenancy.desk import AUDIT, HOST, SECURITY, SYSTEM, gateway_on

from zhengwu.gateway.tenancy.errors import (
    BadName,
    BadTree,
    BadValue,
    BoundsExceeded,
    Forbidden,
    NameTaken,
    TenancyError,
    TenantSuspended,
    UnknownTenant,
)
from zhengwu.gateway.tenancy.keys import NewKey
from zhengwu.gateway.tenancy.roles import Actor
from zhengwu.gateway.tenancy.tenants import NewTenant


async def test_a_tree_is_built_and_read(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        tenants = here.office.tenants
        city = await tenants.create(SYSTEM, NewTenant("示范市", level="city", division="990100"))
        county = await tenants.create(SYSTEM, NewTenant("示范县", city.id, "county"))
        office = await tenants.create(SYSTEM, NewTenant("民政局", county.id))
        assert office.path == ("root", city.id, county.id, office.id)
        assert await tenants.get(SYSTEM, office.id) == office
        everything = await tenants.list(SYSTEM)
        assert {one.id for one in everything} == {"root", city.id, county.id, office.id}
        assert {one.id for one in await tenants.list(SYSTEM, county.id)} == {county.id, office.id}
        first = await tenants.list(SYSTEM, limit=3)
        rest = await tenants.list(SYSTEM, limit=3, after=first[-1].id)
        assert [*first, *rest] == list(everything)
        assert office.effective.grade_ceiling == 3 and not office.effective.keep_text


async def test_what_makes_no_tree(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        create = here.office.tenants.create
        city = await create(HOST, NewTenant("示范市", level="city"))
        for new, error in (
            (NewTenant("甲", "nowhere"), UnknownTenant),
            (NewTenant("甲", "x" * 100_000), UnknownTenant),
            (NewTenant("乙省", city.id, "province"), BadTree),
            (NewTenant("乙市", city.id, "city"), BadTree),
            (NewTenant("甲", level="village"), BadTree),
            (NewTenant("示范市", level="city"), NameTaken),
            (NewTenant(" 示范 市 ", level="county"), NameTaken),
            (NewTenant(""), BadName),
            (NewTenant("字" * 100_000), BadName),
            (NewTenant("示\u0430范"), BadName),
            (NewTenant("甲", division="12"), BadValue),
            (NewTenant("甲", cost_centre="x" * 65), BadValue),
        ):
            with pytest.raises(error):
                await create(HOST, new)
        assert (await create(HOST, NewTenant("ＡＢＣ局"))).name == "ABC局"
        with pytest.raises(NameTaken):
            await create(HOST, NewTenant("abc局"))
        assert await create(HOST, NewTenant("ABC局", city.id))


async def test_it_may_not_be_too_deep(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        tenants, parent = here.office.tenants, "root"
        made: list[str] = []
        for n in range(7):
            parent = (await tenants.create(HOST, NewTenant(f"处{n}", parent))).id
            made.append(parent)
        with pytest.raises(BadTree, match="8"):
            await tenants.create(HOST, NewTenant("再下一级", parent))
        other = await tenants.create(HOST, NewTenant("他处"))
        with pytest.raises(BadTree, match="8"):
            await tenants.update(HOST, made[0], {"parent": other.id})
        assert (await tenants.get(HOST, made[-1])).path[1] == made[0]


async def test_no_move_makes_a_cycle_also_when_two_come_at_once(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        tenants = here.office.tenants
        a, b = [(await tenants.create(HOST, NewTenant(name))).id for name in ("甲", "乙")]
        for where in (a, "root"):
            with pytest.raises(BadTree):
                await tenants.update(HOST, where, {"parent": a})
        with pytest.raises(BadTree):
            await tenants.update(HOST, a, {"parent": None})
        done = await asyncio.gather(
            tenants.update(HOST, a, {"parent": b}),
            tenants.update(HOST, b, {"parent": a}),
            return_exceptions=True,
        )
        assert sorted(isinstance(one, BadTree) for one in done) == [False, True]
        assert len(await tenants.list(HOST)) == 3


async def test_one_name_is_made_once_by_many_at_once(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here, gateway_on(engine) as there:
        done = await asyncio.gather(
            *(g.office.tenants.create(HOST, NewTenant("民政局")) for g in (here, there) * 5),
            return_exceptions=True,
        )
        made = [one for one in done if not isinstance(one, BaseException)]
        assert len(made) == 1
        assert sum(isinstance(one, NameTaken) for one in done) == 9


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ({"grade_ceiling": 2}, {"grade_ceiling": 3}),
        ({"models": ["chat"]}, {"models": ["chat", "reasoning"]}),
        ({"limits": {"concurrency": 4}}, {"limits": {"concurrency": 5}}),
        ({"priority": 1}, {"priority": 0}),
        ({"undeclared_grade": 3}, {"undeclared_grade": 1}),
        ({"media_grade": 3}, {"media_grade": 2}),
        ({}, {"pseudonymise": True}),
        ({}, {"keep_text": True}),
    ],
)
async def test_a_child_has_no_more_than_its_parent(
    engine: AsyncEngine, above: dict[str, Any], below: dict[str, Any]
) -> None:
    async with gateway_on(engine) as here:
        tenants = here.office.tenants
        child = await tenants.create(HOST, NewTenant("民政局"))
        [name] = below
        if above:
            # Written before the parent was narrowed: it is narrowed when read.
            await tenants.update(HOST, child.id, below)
            await tenants.update(HOST, "root", above)
            found = (await tenants.get(HOST, child.id)).effective
            parent = (await tenants.get(HOST, "root")).effective
            if name != "limits":
                assert getattr(found, name) == getattr(parent, name)
            else:
                assert [limit.amount for limit in found.limits] == [4, 4]
        with pytest.raises(BoundsExceeded):
            await tenants.update(HOST, child.id, below)
        renamed = await tenants.update(HOST, child.id, {"name": "民政厅"})
        assert renamed.name == "民政厅"  # what is not touched is not in the way


async def test_consent_is_needed_from_all_above(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        tenants = here.office.tenants
        child = await tenants.create(HOST, NewTenant("民政局"))
        await tenants.update(SECURITY, "root", {"pseudonymise": True})
        assert not (await tenants.get(HOST, child.id)).effective.pseudonymise
        consented = await tenants.update(SECURITY, child.id, {"pseudonymise": True})
        assert consented.effective.pseudonymise
        await tenants.update(SECURITY, "root", {"pseudonymise": False})
        assert not (await tenants.get(HOST, child.id)).effective.pseudonymise


async def test_who_may_change_what(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        tenants = here.office.tenants
        own = await tenants.create(SYSTEM, NewTenant("民政局"))
        below = await tenants.create(SYSTEM, NewTenant("信息处", own.id))
        head = Actor("user:h", "tenant_admin", ("root", own.id))
        half = Actor("user:s", "system_admin", (), complete=False)
        allowed = [
            (SYSTEM, own.id, {"name": "民政厅"}),
            (SYSTEM, own.id, {"limits": {"concurrency": 5}}),
            (SECURITY, own.id, {"grade_ceiling": 2}),
            (head, own.id, {"cost_centre": "C"}),
            (head, below.id, {"limits": {"concurrency": 5}}),
        ]
        for actor, tenant, changes in allowed:
            await tenants.update(actor, tenant, changes)
        refused = [
            (SYSTEM, own.id, {"grade_ceiling": 3}),
            (SYSTEM, own.id, {"name": "甲", "keep_text": True}),
            (SECURITY, own.id, {"name": "甲"}),
            (SECURITY, own.id, {"limits": {}}),
            (AUDIT, own.id, {"name": "甲"}),
            (AUDIT, own.id, {}),
            (head, own.id, {"limits": {}}),
            (head, own.id, {"grade_ceiling": None}),
            (head, "root", {"name": "甲"}),
            (head, own.id, {"state": "suspended"}),
            (half, own.id, {"name": "甲"}),
            (Actor("key:d", "developer", ("root", own.id)), own.id, {"name": "甲"}),
        ]
        for actor, tenant, changes in refused:
            with pytest.raises(Forbidden):
                await tenants.update(actor, tenant, changes)
        with pytest.raises(Forbidden):
            await tenants.create(head, NewTenant("外单位"))
        for wrong in ({"state": "gone"}, {"id": "x"}, {"limits": {"tea": 1}}, {"priority": 9}):
            with pytest.raises(TenancyError):
                await tenants.update(HOST, own.id, wrong)
        with pytest.raises(BadValue, match="根单位"):
            await tenants.update(HOST, "root", {"state": "suspended"})


async def test_a_move_widens_nothing_that_is_the_security_administrators(
    engine: AsyncEngine,
) -> None:
    async with gateway_on(engine) as here:
        tenants = here.office.tenants
        strict = await tenants.create(HOST, NewTenant("甲市", level="city"))
        loose = await tenants.create(HOST, NewTenant("乙市", level="city"))
        office = await tenants.create(HOST, NewTenant("民政局", strict.id))
        await tenants.update(SECURITY, strict.id, {"grade_ceiling": 1})
        with pytest.raises(BadTree, match="安全管理员"):
            await tenants.update(SYSTEM, office.id, {"parent": loose.id})
        await tenants.update(SECURITY, office.id, {"grade_ceiling": 1})
        moved = await tenants.update(SYSTEM, office.id, {"parent": loose.id})
        assert moved.path == ("root", loose.id, office.id)
        assert moved.effective.grade_ceiling == 1


async def test_a_suspended_unit_makes_no_key_work_below_it(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        tenants = here.office.tenants
        city = await tenants.create(HOST, NewTenant("示范市", level="city"))
        office = await tenants.create(HOST, NewTenant("民政局", city.id))
        suspended = await tenants.update(SYSTEM, city.id, {"state": "suspended"})
        assert suspended.effective.state == "suspended"
        assert (await tenants.get(HOST, office.id)).effective.state == "suspended"
        secret, _ = await here.office.keys.create(HOST, NewKey("甲", tenant=office.id))
        with pytest.raises(TenantSuspended):
            await here.callers.caller(secret)
