"""People: names that cannot be mistaken, and who may do what to whom."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.tenancy.desk import AUDIT, HOST, SECURITY, SYSTEM, gateway_on

from zhengwu.gateway.tenancy.errors import BadName, Forbidden, NameTaken, UnknownUser
from zhengwu.gateway.tenancy.roles import Actor
from zhengwu.gateway.tenancy.tenants import NewTenant
from zhengwu.gateway.tenancy.users import NewUser


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "x" * 33,
        "x" * 100_000,
        "zh\u0430ng",  # Cyrillic а
        "zhan\u0261",  # Latin script g
        "zhang\u200bsan",
        "zhang\u202esan",
        "zhang san",
        "a/b",
        "zhang\x00",
        "\ud800\ud800",
        "zh\u00e4ng",
    ],
)
async def test_names_that_could_be_mistaken(engine: AsyncEngine, name: str) -> None:
    async with gateway_on(engine) as here:
        with pytest.raises(BadName):
            await here.office.users.create(HOST, NewUser(name, "developer"))


async def test_one_name_one_person_also_when_many_come_at_once(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        names = ["zhang.san", "ZHANG.SAN", "ｚｈａｎｇ.san", " zhang.san "]
        done = await asyncio.gather(
            *(here.office.users.create(HOST, NewUser(name, "developer")) for name in names),
            return_exceptions=True,
        )
        assert sum(isinstance(one, NameTaken) for one in done) == 3
        [found] = await here.office.users.list(HOST)
        _, other = await here.office.users.create(HOST, NewUser(found.id, "citizen"))
        assert (await here.office.users.get(HOST, found.id)).id == found.id != other.id


async def test_who_may_do_what_to_whom(engine: AsyncEngine) -> None:
    async with gateway_on(engine) as here:
        users = here.office.users
        unit = await here.office.tenants.create(HOST, NewTenant("民政局"))
        head = Actor("user:h", "tenant_admin", ("root", unit.id))
        made = {
            role: (await users.create(HOST, NewUser(f"{role}_x", role)))[1].id
            for role in ("system_admin", "security_admin", "audit_admin", "developer")
        }
        inside = (await users.create(head, NewUser("inside", "civil_servant", unit.id)))[1].id
        own = {role: Actor(f"user:{user}", role) for role, user in made.items()}
        refused = [
            users.create(SYSTEM, NewUser("new1", "security_admin")),
            users.create(SYSTEM, NewUser("new1", "system_admin")),
            users.create(SECURITY, NewUser("new1", "developer")),
            users.create(AUDIT, NewUser("new1", "developer")),
            users.create(head, NewUser("new1", "developer")),
            users.create(head, NewUser("new1", "system_admin", unit.id)),
            users.get(AUDIT, inside),
            users.set_role(SYSTEM, made["developer"], "tenant_admin"),
            users.set_role(head, inside, "tenant_admin"),
            users.set_role(own["security_admin"], made["security_admin"], "audit_admin"),
            users.reset(SYSTEM, made["security_admin"]),
            users.reset_totp(SYSTEM, made["audit_admin"]),
            users.reset(SECURITY, made["system_admin"]),
            users.reset(head, made["developer"]),
            users.set_state(SYSTEM, made["audit_admin"], "disabled"),
            users.set_state(own["security_admin"], made["security_admin"], "disabled"),
            users.list(head),
            users.list(AUDIT),
        ]
        for attempt in refused:
            with pytest.raises(Forbidden):
                await attempt
        assert (
            await users.set_role(SECURITY, made["developer"], "audit_admin")
        ).role == "audit_admin"
        assert (
            await users.set_state(SECURITY, made["audit_admin"], "disabled")
        ).state == "disabled"
        assert (await users.reset(head, inside))[1].must_change
        assert [one.id for one in await users.list(head, unit.id)] == [inside]
        with pytest.raises(UnknownUser):
            await users.get(SYSTEM, "nobody")
