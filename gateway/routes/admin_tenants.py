"""`/api/admin/tenants`: the tree of units."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import Field

from zhengwu.gateway.routes.admin_wire import (
    After,
    CountsAs,
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
from zhengwu.gateway.tenancy.records import TenantRecord
from zhengwu.gateway.tenancy.roles import Actor
from zhengwu.gateway.tenancy.tenants import NewTenant, Tenants
from zhengwu.gateway.tenancy.tree import ROOT

Level = Literal["province", "city", "county", "department"]
Division = Annotated[str, Field(pattern=r"^(\d{6}|\d{9}|\d{12})$")]
CostCentre = Annotated[str, Field(max_length=64)]


class TenantBody(Strict):
    """The body of `POST /api/admin/tenants`."""

    name: Name
    parent: Id = ROOT
    level: Level = "department"
    division: Division | None = None
    cost_centre: CostCentre = ""


class TenantChanges(Strict):
    """The body of `PATCH /api/admin/tenants/{id}`: only what is named changes, null unsets."""

    name: Name = ""
    parent: Id = ROOT
    level: Level = "department"
    division: Division | None = None
    cost_centre: CostCentre = ""
    state: Literal["active", "suspended"] = "active"
    grade_ceiling: Grade | None = None
    models: Models | None = None
    limits: Limits = Field(default_factory=Limits)
    priority: Annotated[int, Field(ge=0, le=2)] | None = None
    undeclared_grade: CountsAs | None = None
    media_grade: CountsAs | None = None
    pseudonymise: bool = False
    keep_text: bool = False


def tenant_routes(tenants: Tenants, acting: Acting) -> APIRouter:
    """The routes of units."""
    routes = admin_router("/tenants")
    who = Depends(acting)

    @routes.get("")
    async def list_(  # pyright: ignore[reportUnusedFunction]
        actor: Annotated[Actor, who], under: Under = ROOT, limit: PageSize = 50, after: After = None
    ) -> Page[TenantRecord]:
        return page_of(await tenants.list(actor, under, limit, after), limit)

    @routes.post("", status_code=201)
    async def create(body: TenantBody, actor: Annotated[Actor, who]) -> TenantRecord:  # pyright: ignore[reportUnusedFunction]
        return await tenants.create(actor, NewTenant(**body.model_dump()))

    @routes.get("/{tenant_id}")
    async def show(tenant_id: IdInPath, actor: Annotated[Actor, who]) -> TenantRecord:  # pyright: ignore[reportUnusedFunction]
        return await tenants.get(actor, tenant_id)

    @routes.patch("/{tenant_id}")
    async def update(  # pyright: ignore[reportUnusedFunction]
        tenant_id: IdInPath, body: TenantChanges, actor: Annotated[Actor, who]
    ) -> TenantRecord:
        return await tenants.update(actor, tenant_id, body.model_dump(exclude_unset=True))

    return routes
