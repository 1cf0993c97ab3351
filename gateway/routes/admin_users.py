"""`/api/admin/users` and `/roles`: people, what they may do, and who lets them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from zhengwu.gateway.routes.admin_wire import (
    After,
    Id,
    IdInPath,
    Page,
    PageSize,
    Strict,
    Under,
    admin_router,
    page_of,
)
from zhengwu.gateway.signin.acting import Acting
from zhengwu.gateway.tenancy.roles import HOST, Actor, load_roles
from zhengwu.gateway.tenancy.tree import ROOT
from zhengwu.gateway.tenancy.users import NewUser, UserRecord, Users

RoleName = Annotated[str, Field(min_length=1, max_length=32)]


class UserBody(Strict):
    """The body of `POST /api/admin/users`."""

    name: Annotated[str, Field(min_length=2, max_length=64)]
    role: RoleName
    tenant: Id = ROOT
    display: Annotated[str, Field(max_length=100)] = ""


class StateBody(Strict):
    """The body of `PUT /api/admin/users/{id}/state`."""

    state: Literal["active", "disabled"]


class RoleBody(Strict):
    """The body of `PUT /api/admin/users/{id}/role`."""

    role: RoleName


class MadeUser(BaseModel):
    """A user and a password for the first sign-in, which cannot be had again."""

    password: str
    record: UserRecord


class RoleAnswer(BaseModel):
    """One role, with what it may do and whom it may let do what."""

    id: str
    name: str
    reach: str
    second_factor: bool
    by_key: bool
    may: list[str]
    grants: list[str]


class RolesAnswer(BaseModel):
    """The answer of `GET /api/admin/roles`."""

    roles: list[RoleAnswer]
    actions: dict[str, str]


def user_routes(users: Users, acting: Acting) -> APIRouter:
    """The routes of people and roles."""
    routes = admin_router()
    who = Depends(acting)

    @routes.get("/roles", dependencies=[who])
    async def roles() -> RolesAnswer:  # pyright: ignore[reportUnusedFunction]
        data = load_roles()
        listed = [
            RoleAnswer(
                id=role.id,
                name=role.name,
                reach=role.reach,
                second_factor=role.second_factor,
                by_key=role.by_key,
                may=sorted(role.may),
                grants=sorted(role.grants),
            )
            for role in data.roles.values()
            if role.id != HOST
        ]
        return RolesAnswer(roles=listed, actions=dict(data.actions))

    @routes.get("/users")
    async def list_(  # pyright: ignore[reportUnusedFunction]
        actor: Annotated[Actor, who], under: Under = ROOT, limit: PageSize = 50, after: After = None
    ) -> Page[UserRecord]:
        return page_of(await users.list(actor, under, limit, after), limit)

    @routes.post("/users", status_code=201)
    async def create(body: UserBody, actor: Annotated[Actor, who]) -> MadeUser:  # pyright: ignore[reportUnusedFunction]
        password, record = await users.create(actor, NewUser(**body.model_dump()))
        return MadeUser(password=password, record=record)

    @routes.get("/users/{user_id}")
    async def show(user_id: IdInPath, actor: Annotated[Actor, who]) -> UserRecord:  # pyright: ignore[reportUnusedFunction]
        return await users.get(actor, user_id)

    @routes.put("/users/{user_id}/state")
    async def state(  # pyright: ignore[reportUnusedFunction]
        user_id: IdInPath, body: StateBody, actor: Annotated[Actor, who]
    ) -> UserRecord:
        return await users.set_state(actor, user_id, body.state)

    @routes.put("/users/{user_id}/role")
    async def role(  # pyright: ignore[reportUnusedFunction]
        user_id: IdInPath, body: RoleBody, actor: Annotated[Actor, who]
    ) -> UserRecord:
        return await users.set_role(actor, user_id, body.role)

    @routes.post("/users/{user_id}/reset")
    async def reset(user_id: IdInPath, actor: Annotated[Actor, who]) -> MadeUser:  # pyright: ignore[reportUnusedFunction]
        password, record = await users.reset(actor, user_id)
        return MadeUser(password=password, record=record)

    return routes
