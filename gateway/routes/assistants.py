"""`/api/admin/assistants`: what departments register and share. Every route needs a key."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from zhengwu.gateway.assistants.office import AssistantOffice, shown
from zhengwu.gateway.assistants.store import Share, State
from zhengwu.gateway.wire.asked import Asked
from zhengwu.gateway.wire.through import Asking

Name = Annotated[str, Path(max_length=64)]
Number = Annotated[int, Path(ge=1, le=100_000)]
Unit = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
MOVES: dict[str, State] = {"publish": "published", "withdraw": "withdrawn"}


class ShareBody(BaseModel):
    """The body of a share: kind of limit → amount."""

    model_config = ConfigDict(extra="forbid")

    quota: dict[str, int] = Field(default={}, max_length=16)


def assistant_routes(asking: Asking, office: AssistantOffice) -> APIRouter:
    """The routes that manage assistants."""
    routes = APIRouter(prefix="/api/admin/assistants", tags=["assistants"])
    who = Depends(asking)

    @routes.post("", status_code=201)
    async def register(given: dict[str, Any], asked: Asked = who) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return shown(await office.register(asked.caller, given))

    @routes.get("")
    async def listed(asked: Asked = who) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return {"assistants": [shown(version) for version in await office.versions(asked.caller)]}

    @routes.post("/{name}/versions/{version}/{move}")
    async def move(  # pyright: ignore[reportUnusedFunction]
        name: Name, version: Number, move: Literal["publish", "withdraw"], asked: Asked = who
    ) -> dict[str, Any]:
        return shown(await office.move(asked.caller, name, version, MOVES[move]))

    @routes.put("/{name}/shares/{tenant}")
    async def share(  # pyright: ignore[reportUnusedFunction]
        name: Name, tenant: Unit, body: ShareBody, asked: Asked = who
    ) -> dict[str, Any]:
        return _shares(await office.share(asked.caller, name, tenant, body.quota))

    @routes.delete("/{name}/shares/{tenant}")
    async def unshare(name: Name, tenant: Unit, asked: Asked = who) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return _shares(await office.unshare(asked.caller, name, tenant))

    return routes


def _shares(shares: list[Share]) -> dict[str, Any]:
    return {"shares": [asdict(share) for share in shares]}
