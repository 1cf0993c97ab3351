"""`/api/admin/keys`: the keys of units. A secret is in an answer once, when it is made."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from zhengwu.gateway.routes.admin_wire import (
    After,
    Grade,
    Id,
    IdInPath,
    Limits,
    Models,
    Name,
    Page,
    PageSize,
    Strict,
    Under,
    admin_router,
    page_of,
)
from zhengwu.gateway.signin.acting import Acting
from zhengwu.gateway.tenancy.bounds import Bounds
from zhengwu.gateway.tenancy.keys import ApiKeys, KeyRecord, NewKey
from zhengwu.gateway.tenancy.roles import Actor
from zhengwu.gateway.tenancy.tree import ROOT


class KeyBody(Strict):
    """The body of `POST /api/admin/keys`."""

    name: Name
    role: Annotated[str, Field(max_length=32)] = "developer"
    tenant: Id = ROOT
    days: Annotated[int, Field(ge=1, le=3660)] | None = None
    grade_ceiling: Grade | None = None
    models: Models | None = None
    limits: Limits = Field(default_factory=Limits)


class RotateBody(Strict):
    """The body of `POST /api/admin/keys/{id}/rotate`."""

    overlap_minutes: Annotated[int, Field(ge=0, le=43_200)] = 1440


class MadeKey(BaseModel):
    """A key and its secret, which cannot be had again."""

    key: str
    record: KeyRecord


def key_routes(keys: ApiKeys, acting: Acting) -> APIRouter:
    """The routes of keys."""
    routes = admin_router("/keys")
    who = Depends(acting)

    @routes.get("")
    async def list_(  # pyright: ignore[reportUnusedFunction]
        actor: Annotated[Actor, who], under: Under = ROOT, limit: PageSize = 50, after: After = None
    ) -> Page[KeyRecord]:
        return page_of(await keys.list(actor, under, limit, after), limit)

    @routes.post("", status_code=201)
    async def create(body: KeyBody, actor: Annotated[Actor, who]) -> MadeKey:  # pyright: ignore[reportUnusedFunction]
        expires = datetime.now(UTC) + timedelta(days=body.days) if body.days else None
        models = None if body.models is None else frozenset(body.models)
        bounds = Bounds(body.grade_ceiling, models, body.limits)
        new = NewKey(body.name, body.role, body.tenant, expires, bounds)
        secret, record = await keys.create(actor, new)
        return MadeKey(key=secret, record=record)

    @routes.post("/{key_id}/rotate")
    async def rotate(  # pyright: ignore[reportUnusedFunction]
        key_id: IdInPath, body: RotateBody, actor: Annotated[Actor, who]
    ) -> MadeKey:
        overlap = timedelta(minutes=body.overlap_minutes)
        secret, record = await keys.rotate(actor, key_id, overlap)
        return MadeKey(key=secret, record=record)

    @routes.post("/{key_id}/revoke")
    async def revoke(key_id: IdInPath, actor: Annotated[Actor, who]) -> KeyRecord:  # pyright: ignore[reportUnusedFunction]
        return await keys.revoke(actor, key_id)

    return routes
