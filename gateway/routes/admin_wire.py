"""What the routes under `/api/admin` share: strict bodies, pages of lists, the shape of errors."""

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import APIRouter, Query
from fastapi import Path as PathParam
from pydantic import BaseModel, ConfigDict, Field

from zhengwu.gateway.governed.caller import LimitKind

T = TypeVar("T")
Name = Annotated[str, Field(min_length=1, max_length=100)]
Id = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z0-9-]+$")]
IdInPath = Annotated[str, PathParam(max_length=32, pattern=r"^[a-z0-9-]+$")]
Under = Annotated[str, Query(max_length=32, pattern=r"^[a-z0-9-]+$")]
PageSize = Annotated[int, Query(ge=1, le=200)]
After = Annotated[str | None, Query(max_length=32, pattern=r"^[a-z0-9-]+$")]
Grade = Annotated[int, Field(ge=1, le=3)]
CountsAs = Annotated[int, Field(ge=1, le=4)]
Amount = Annotated[int, Field(ge=0, le=10**15)]
Limits = dict[LimitKind, Amount]
Models = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=500)]


class Strict(BaseModel):
    """A body that takes no field it does not know, and no string for a number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Told(BaseModel):
    """What went wrong, for a person and for a program."""

    code: str
    message: str
    request_id: str


class Problem(BaseModel):
    """The body of every answer that is an error."""

    error: Told


class Page(BaseModel, Generic[T]):
    """One page of a list; `next` is the `after` of the next page."""

    items: list[T]
    next: str | None


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 401, 403, 404, 409, 413, 422, 429, 503)
}


def admin_router(prefix: str = "") -> APIRouter:
    """A router under `/api/admin`; the whole path is in it, so that logs and records show it."""
    return APIRouter(prefix=f"/api/admin{prefix}", tags=["admin"], responses=PROBLEMS)


def page_of(found: Sequence[T], limit: int) -> Page[T]:
    """A page that says how to go on where it is full."""
    full = len(found) == limit
    last = str(getattr(found[-1], "id", "")) if full else None
    return Page(items=list(found), next=last)
