"""`/api/admin/sign-in`, `/sign-out`, `/me`: coming in, going out, and one's own account."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from zhengwu.gateway.routes.admin_wire import Strict, admin_router
from zhengwu.gateway.signin.acting import COOKIE, Person, same_site, set_cookie
from zhengwu.gateway.signin.sessions import SignedIn
from zhengwu.gateway.signin.sign_in import Attempt
from zhengwu.gateway.tenancy.office import Door
from zhengwu.gateway.tenancy.roles import load_roles

Secret = Annotated[str, Field(min_length=1, max_length=128)]
Code = Annotated[str, Field(min_length=6, max_length=64)]


class SignInBody(Strict):
    """The body of `POST /api/admin/sign-in`. `code`: a one-time or a recovery code."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Secret
    code: Code | None = None


class PasswordBody(Strict):
    """The body of `PUT /api/admin/me/password`."""

    old: Secret
    new: Secret


class CodeBody(Strict):
    """The body of `POST /api/admin/me/totp/confirm`."""

    code: Code


class Me(BaseModel):
    """Who is signed in. `csrf` goes into `X-CSRF-Token` with every write."""

    id: str
    name: str
    role: str
    role_name: str
    tenant_path: list[str]
    may: list[str]
    complete: bool
    must_change_password: bool
    needs_second_factor: bool
    csrf: str


class Offer(BaseModel):
    """A shared secret for an authenticator app."""

    secret: str
    address: str


class RecoveryCodes(BaseModel):
    """Codes that stand in for the second factor, each once; they cannot be had again."""

    codes: list[str]
    me: Me


def session_routes(door: Door) -> APIRouter:
    """The routes of signing in."""
    routes = admin_router()
    person = Depends(Person(door.sessions))

    async def enter(request: Request, response: Response, secret: str) -> Me:
        set_cookie(request, response, secret)
        return _me(await door.sessions.who(secret))

    @routes.post("/sign-in")
    async def sign_in(body: SignInBody, request: Request, response: Response) -> Me:  # pyright: ignore[reportUnusedFunction]
        same_site(request)
        secret = await door.sign_in(Attempt(body.name, body.password, body.code))
        if old := request.cookies.get(COOKIE):
            await door.sessions.end(old)
        return await enter(request, response, secret)

    @routes.post("/sign-out", status_code=204, dependencies=[person])
    async def sign_out(request: Request, response: Response) -> None:  # pyright: ignore[reportUnusedFunction]
        await door.sessions.end(request.cookies[COOKIE])
        response.delete_cookie(COOKIE, path="/")

    @routes.get("/me")
    async def me(signed: Annotated[SignedIn, person]) -> Me:  # pyright: ignore[reportUnusedFunction]
        return _me(signed)

    @routes.put("/me/password")
    async def password(  # pyright: ignore[reportUnusedFunction]
        body: PasswordBody,
        request: Request,
        response: Response,
        signed: Annotated[SignedIn, person],
    ) -> Me:
        secret = await door.account.change_password(signed, body.old, body.new)
        return await enter(request, response, secret)

    @routes.post("/me/totp")
    async def offer(signed: Annotated[SignedIn, person]) -> Offer:  # pyright: ignore[reportUnusedFunction]
        made = await door.account.begin_factor(signed)
        return Offer(secret=made.secret, address=made.address)

    @routes.post("/me/totp/confirm")
    async def confirm(  # pyright: ignore[reportUnusedFunction]
        body: CodeBody, request: Request, response: Response, signed: Annotated[SignedIn, person]
    ) -> RecoveryCodes:
        secret, codes = await door.account.confirm_factor(signed, body.code)
        return RecoveryCodes(codes=list(codes), me=await enter(request, response, secret))

    return routes


def _me(signed: SignedIn) -> Me:
    role = load_roles().get(signed.actor.role)
    return Me(
        id=signed.user_id,
        name=signed.name,
        role=role.id,
        role_name=role.name,
        tenant_path=list(signed.actor.tenant_path),
        may=sorted(role.may) if signed.actor.complete else [],
        complete=signed.actor.complete,
        must_change_password=signed.must_change,
        needs_second_factor=role.second_factor and not signed.strong,
        csrf=signed.csrf,
    )
