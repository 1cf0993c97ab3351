"""`/api/admin` over HTTP: cookies, tokens against forgery, keys, pages, and every refusal."""

import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.conftest import Running
from yarl import URL

from zhengwu.db.tables import AdminActionRow
from zhengwu.gateway.signin.totp import STEP_S, code_at
from zhengwu.gateway.tenancy.actions import TableTrail
from zhengwu.gateway.tenancy.keys import NewKey, ensure_admin_key
from zhengwu.gateway.tenancy.roles import host_actor
from zhengwu.gateway.tenancy.users import NewUser

HOST = host_actor("test")
GOOD = "Mq7-tree-lamp"
ADMIN = NewKey("管理", "system_admin")


class Browser:
    """A person's browser: it keeps cookies, and sends the token once it has it."""

    def __init__(self, gateway: Running) -> None:
        self.url = gateway.url + "/api/admin"
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.csrf = ""

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        given = {"x-csrf-token": self.csrf, **headers}
        async with self.http.request(
            method, self.url + path, json=body, headers=given, allow_redirects=False
        ) as answer:
            self.headers, self.status = answer.headers, answer.status
            told = await answer.json() if answer.status not in {204, 303} else None
        if isinstance(told, dict):
            self.csrf = told.get("csrf") or told.get("me", {}).get("csrf") or self.csrf
        return told

    async def enter(self, name: str, password: str, **more: str) -> Any:
        return await self.ask("POST", "/sign-in", {"name": name, "password": password, **more})

    async def become(self, gateway: Running, name: str, role: str) -> None:
        """Come in for the first time, all the way."""
        first, _ = await gateway.parts.office.users.create(HOST, NewUser(name, role))
        assert (await self.enter(name, first))["must_change_password"]
        await self.ask("PUT", "/me/password", {"old": first, "new": GOOD})
        secret = base64.b32decode((await self.ask("POST", "/me/totp"))["secret"])
        code = code_at(secret, int(time.time() // STEP_S))
        told = await self.ask("POST", "/me/totp/confirm", {"code": code})
        assert told["me"]["complete"] and len(told["codes"]) == 10


@pytest.fixture
async def browser(gateway: Running) -> AsyncIterator[Browser]:
    opened = Browser(gateway)
    yield opened
    await opened.http.close()


async def test_coming_in_and_going_out(gateway: Running, browser: Browser) -> None:
    await browser.become(gateway, "zhang.san", "security_admin")
    cookie = browser.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Secure" not in cookie
    me = await browser.ask("GET", "/me")
    assert me["role_name"] == "安全管理员" and "addresses.change" in me["may"]
    held = browser.http.cookie_jar.filter_cookies(URL(browser.url))["zhengwu_session"].value
    assert await browser.ask("POST", "/sign-out") is None
    assert browser.status == 204
    assert (await browser.ask("GET", "/me"))["error"]["code"] == "session_ended"
    browser.http.cookie_jar.update_cookies({"zhengwu_session": held}, URL(browser.url))
    assert (await browser.ask("GET", "/me"))["error"]["code"] == "session_ended"


async def test_a_sign_in_gives_a_new_session_and_ends_the_old(
    gateway: Running, browser: Browser
) -> None:
    first, _ = await gateway.parts.office.users.create(HOST, NewUser("li.si", "developer"))
    browser.http.cookie_jar.update_cookies({"zhengwu_session": "x" * 43}, URL(browser.url))
    one = await browser.enter("li.si", first)
    two = await browser.enter("li.si", first)
    assert one["csrf"] != two["csrf"]
    refused = await browser.enter("li.si", first, code="12345")
    assert browser.status == 422 and refused["error"]["code"] == "bad_request"
    wrong = await browser.ask(
        "POST", "/sign-in", {"name": "li.si", "password": first}, **{"sec-fetch-site": "cross-site"}
    )
    assert wrong["error"]["code"] == "csrf_refused"


async def test_a_write_without_the_token_is_refused(gateway: Running, browser: Browser) -> None:
    await browser.become(gateway, "wang.wu", "system_admin")
    body = {"name": "示范市", "level": "city"}
    for token in ("", "0" * 64):
        told = await browser.ask("POST", "/tenants", body, **{"x-csrf-token": token})
        assert (browser.status, told["error"]["code"]) == (403, "csrf_refused")
    made = await browser.ask("POST", "/tenants", body)
    assert browser.status == 201 and made["path"] == ["root", made["id"]]
    changed = await browser.ask("PATCH", f"/tenants/{made['id']}", {"limits": {"concurrency": 9}})
    assert changed["effective"]["limits"][0]["amount"] == 9
    bound = await browser.ask("PATCH", f"/tenants/{made['id']}", {"grade_ceiling": 2})
    assert (browser.status, bound["error"]["code"]) == (403, "forbidden")
    page = await browser.ask("GET", "/tenants?limit=1")
    rest = await browser.ask("GET", f"/tenants?limit=5&after={page['next']}")
    assert len(page["items"]) == len(rest["items"]) == 1 and rest["next"] is None


async def test_the_first_key_administers_without_a_cookie(
    gateway: Running, engine: AsyncEngine
) -> None:
    async def ask(method: str, path: str, key: str, body: Any = None) -> tuple[int, Any]:
        url, headers = f"{gateway.url}/api/admin{path}", {"authorization": f"Bearer {key}"}
        async with gateway.http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    assert await ensure_admin_key(engine, TableTrail()) is None  # the fixture made a key before
    admin, _ = await gateway.keys.create(HOST, ADMIN)
    status, made = await ask("POST", "/keys", admin, {"name": "办公系统", "days": 30})
    assert status == 201 and made["key"].startswith("zw-")
    status, rotated = await ask(
        "POST", f"/keys/{made['record']['id']}/rotate", admin, {"overlap_minutes": 0}
    )
    assert status == 200 and rotated["key"] != made["key"]
    assert (await ask("GET", "/keys", made["key"]))[0] == 401
    assert (await ask("GET", "/keys", rotated["key"]))[1]["error"]["code"] == "forbidden"
    status, listed = await ask("GET", "/keys", admin)
    assert status == 200 and "key" not in listed["items"][0]
    assert (await ask("POST", f"/keys/{made['record']['id']}/revoke", admin))[0] == 200
    assert (await ask("GET", "/keys", rotated["key"]))[0] == 401
    assert (await ask("GET", "/addresses", admin))[0] == 403
    assert (await ask("GET", "/roles", admin))[1]["actions"]["key.read"] == "查看密钥"
    status, made = await ask("POST", "/users", admin, {"name": "zhao.liu", "role": "developer"})
    assert status == 201 and made["record"]["must_change"]
    assert (await ask("POST", "/users", admin, {"name": "x1", "role": "audit_admin"}))[0] == 403
    async with engine.connect() as connection:
        rows = (await connection.execute(select(AdminActionRow.__table__))).all()
    refused = [row.target for row in rows if row.outcome == "refused"]
    assert refused == ["/api/admin/keys", "/api/admin/addresses", "/api/admin/users"]


async def test_the_security_administrators_list_is_in_force_at_once(
    gateway: Running, browser: Browser
) -> None:
    asked = {"model": "chat", "messages": [{"role": "user", "content": "您好"}]}
    status, _, _ = await gateway.post("/v1/chat/completions", json=asked, headers=gateway.headers)
    assert status == 200
    await browser.become(gateway, "zhang.san", "security_admin")
    seen = await browser.ask("GET", "/addresses")
    assert seen["entries"] == ["127.0.0.1"] and seen["number"] == 0
    made = await browser.ask("PUT", "/addresses", {"entries": ["10.9.9.9"], "seen": 0})
    assert made["number"] == 1 and made["actor"].startswith("user:")
    status, body, _ = await gateway.post(
        "/v1/chat/completions", json=asked, headers=gateway.headers
    )
    assert (status, body["error"]["code"]) == (403, "egress_refused")
    late = await browser.ask("PUT", "/addresses", {"entries": ["127.0.0.1"], "seen": 0})
    assert (browser.status, late["error"]["code"]) == (422, "bad_value")
    for entries in ([], ["0.0.0.0/0"], ["x y"], ["10.0.0.1"] * 1001, ["x" * 301]):
        await browser.ask("PUT", "/addresses", {"entries": entries, "seen": 1})
        assert browser.status == 422
    await browser.ask("PUT", "/addresses", {"entries": ["127.0.0.1"], "seen": 1})
    status, _, _ = await gateway.post("/v1/chat/completions", json=asked, headers=gateway.headers)
    assert status == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/tenants", {"name": "x" * 101}),
        ("POST", "/tenants", {"name": 7}),
        ("POST", "/tenants", {"name": "甲", "extra": 1}),
        ("PATCH", "/tenants/root", {"grade_ceiling": "2"}),
        ("PATCH", "/tenants/root", {"grade_ceiling": True}),
        ("PATCH", "/tenants/root", {"limits": {"tea": 1}}),
        ("PATCH", "/tenants/root", {"keep_text": None}),
        ("PATCH", "/tenants/ROOT", {}),
        ("POST", "/keys", {"name": "甲", "days": 0}),
        ("POST", "/keys", {"name": "甲", "tenant": "../root"}),
        ("GET", "/keys?limit=0", None),
        ("GET", "/keys?limit=201", None),
        ("GET", "/users?after=%00", None),
        ("POST", "/sign-in", {"name": "a" * 65, "password": "x"}),
        ("POST", "/sign-in", {"name": "a", "password": "x" * 100_000}),
        ("PUT", "/users/x/state", {"state": "gone"}),
    ],
)
async def test_bodies_that_do_not_fit(gateway: Running, method: str, path: str, body: Any) -> None:
    admin, _ = await gateway.keys.create(HOST, ADMIN)
    url, headers = f"{gateway.url}/api/admin{path}", {"authorization": f"Bearer {admin}"}
    async with gateway.http.request(method, url, json=body, headers=headers) as answer:
        assert answer.status == 422, await answer.text()
        assert (await answer.json())["error"]["code"] == "bad_request"


async def test_without_a_provider_one_is_told_so(browser: Browser) -> None:
    for path in ("/oidc/begin", "/oidc/callback?state=x&code=y", "/oidc/callback?state=x&error=no"):
        told = await browser.ask("GET", path)
        assert (browser.status, told["error"]["code"]) == (404, "provider_not_configured")


async def test_nobody_gets_in_without_proof(gateway: Running, browser: Browser) -> None:
    for method, path in (
        ("GET", "/me"),
        ("GET", "/tenants"),
        ("POST", "/keys"),
        ("GET", "/users"),
        ("GET", "/roles"),
        ("PUT", "/addresses"),
        ("POST", "/me/totp"),
    ):
        await browser.ask(method, path, {} if method != "GET" else None)
        assert browser.status == 401, path
