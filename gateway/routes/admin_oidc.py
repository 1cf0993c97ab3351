"""`/api/admin/oidc`: signing in at the provider. The browser goes there, and comes back once."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse

from zhengwu.gateway.routes.admin_wire import admin_router
from zhengwu.gateway.signin.acting import set_cookie
from zhengwu.gateway.signin.errors import ProviderNotConfigured, ProviderRefused
from zhengwu.gateway.signin.oidc import MINUTES, Answer, OidcSignIn
from zhengwu.gateway.signin.provider import REFUSED

STATE_COOKIE = "zhengwu_oidc"
PATH = "/api/admin/oidc"
Short = Annotated[str, Query(max_length=2048)]
Maybe = Annotated[str | None, Query(max_length=2048)]


def oidc_routes(oidc: OidcSignIn | None) -> APIRouter:
    """The routes of the provider; without one they say so."""
    routes = admin_router("/oidc")

    def flow() -> OidcSignIn:
        if oidc is None:
            raise ProviderNotConfigured("未配置统一身份认证，请用用户名和口令登录。")
        return oidc

    @routes.get("/begin", response_class=RedirectResponse, status_code=303)
    async def begin(request: Request, back: Short = "/") -> RedirectResponse:  # pyright: ignore[reportUnusedFunction]
        url, state = await flow().begin(back)
        answer = RedirectResponse(url, 303)
        answer.set_cookie(
            STATE_COOKIE,
            state,
            max_age=int(MINUTES.total_seconds()),
            path=PATH,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return answer

    @routes.get("/callback", response_class=RedirectResponse, status_code=303)
    async def callback(  # pyright: ignore[reportUnusedFunction]
        request: Request, state: Short, code: Maybe = None, error: Maybe = None, iss: Maybe = None
    ) -> RedirectResponse:
        browser = request.cookies.get(STATE_COOKIE, "")
        if error is not None or not code:
            flow()
            raise ProviderRefused(REFUSED)
        secret, back = await flow().finish(Answer(code, state, browser, iss))
        answer = RedirectResponse(back, 303)
        answer.delete_cookie(STATE_COOKIE, path=PATH)
        set_cookie(request, answer, secret)
        return answer

    return routes
