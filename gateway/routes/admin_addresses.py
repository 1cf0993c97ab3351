"""`/api/admin/addresses`: the security administrator's list of pool addresses."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from zhengwu.gateway.routes.admin_wire import Strict, admin_router
from zhengwu.gateway.signin.acting import Acting
from zhengwu.gateway.tenancy.addresses import AddressBook, Edition
from zhengwu.gateway.tenancy.roles import Actor

Entry = Annotated[str, Field(min_length=1, max_length=300)]


class AddressesBody(Strict):
    """The body of `PUT /api/admin/addresses`; `seen` is the edition it was made from."""

    entries: Annotated[list[Entry], Field(min_length=1, max_length=1000)]
    seen: Annotated[int, Field(ge=0, le=2**53)]


def address_routes(book: AddressBook, acting: Acting) -> APIRouter:
    """The routes of the list."""
    routes = admin_router("/addresses")
    who = Depends(acting)

    @routes.get("")
    async def read(actor: Annotated[Actor, who]) -> Edition:  # pyright: ignore[reportUnusedFunction]
        return await book.read(actor)

    @routes.put("")
    async def replace(body: AddressesBody, actor: Annotated[Actor, who]) -> Edition:  # pyright: ignore[reportUnusedFunction]
        return await book.replace(actor, body.entries, body.seen)

    return routes
