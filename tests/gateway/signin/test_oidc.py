"""Signing in at a real provider on the loopback, and everything an attacker would try."""

import base64
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.signin.identities import CLIENT, SECRET, Claims, Identities, running_identities
from tests.gateway.tenancy.desk import HOST, Clock, Moment, gateway_on

from zhengwu.errors import SettingsError
from zhengwu.gateway.signin.errors import ProviderRefused, ProviderUnavailable, SignInRefused
from zhengwu.gateway.signin.oidc import Answer, OidcSignIn, RoleMap
from zhengwu.gateway.signin.provider import Client, Provider
from zhengwu.gateway.signin.sessions import Sessions, SignedIn
from zhengwu.gateway.tenancy.errors import Forbidden
from zhengwu.gateway.tenancy.office import Office
from zhengwu.gateway.tenancy.roles import check
from zhengwu.gateway.tenancy.users import NewUser
from zhengwu.outbound import Outbound

ROLES = {"dev": "developer", "head": "tenant_admin"}


@dataclass
class House:
    """A gateway that trusts the provider."""

    there: Identities
    oidc: OidcSignIn
    sessions: Sessions
    office: Office
    moment: Moment
    clock: Clock

    async def enter(self, **changed: str | None) -> SignedIn:
        """Sign in as a browser would; `changed` is what an attacker puts into the answer."""
        url, browser = await self.oidc.begin("/admin")
        brought: dict[str, Any] = {**self.there.authorize(url), "browser": browser, **changed}
        issuer = brought.pop("iss")
        secret, back = await self.oidc.finish(Answer(**brought, issuer=issuer))
        assert back == "/admin"
        return await self.sessions.who(secret)


@pytest.fixture
async def there() -> AsyncIterator[Identities]:
    async with running_identities() as running:
        yield running


@asynccontextmanager
async def trusting(engine: AsyncEngine, there: Identities) -> AsyncGenerator[House]:
    async with gateway_on(engine) as here, Outbound("sign_in", 1, timeout_s=2) as outbound:
        client = Client(there.url, CLIENT, SECRET, "http://127.0.0.1/api/admin/oidc/callback")
        sessions, moment, clock = Sessions(engine), Moment(datetime.now(UTC)), Clock()
        roles, provider = RoleMap("roles", ROLES, "root"), Provider(client, outbound, clock)
        oidc = OidcSignIn(provider, roles, here.office.writes, sessions, moment)
        yield House(there, oidc, sessions, here.office, moment, clock)


async def test_a_person_comes_in_and_is_known_again(engine: AsyncEngine, there: Identities) -> None:
    async with trusting(engine, there) as house:
        first = await house.enter()
        assert first.name == "zhao.liu" and first.actor.role == "developer"
        assert first.caller.user_id == first.user_id
        there.person |= {"roles": "head", "preferred_username": "renamed"}
        again = await house.enter()
        assert (again.user_id, again.name) == (first.user_id, "zhao.liu")
        assert again.actor.role == "tenant_admin"
        with pytest.raises(Forbidden):  # the provider showed no second factor
            check(again.actor, "key.read", ("root",))
        there.person["amr"] = ["pwd", "otp"]
        check((await house.enter()).actor, "key.read", ("root",))
        await house.office.users.set_state(HOST, first.user_id, "disabled")
        with pytest.raises(SignInRefused, match="停用"):
            await house.enter()


@pytest.mark.parametrize("name", ["li.si", "zh\u0430ng", "", "x" * 10_000, "\ud800"])
async def test_a_name_gives_nobody_anothers_account(
    engine: AsyncEngine, there: Identities, name: str
) -> None:
    async with trusting(engine, there) as house:
        _, local = await house.office.users.create(HOST, NewUser("li.si", "system_admin"))
        there.person["preferred_username"] = name
        signed = await house.enter()
        assert signed.user_id != local.id and signed.name.startswith("u-")
        assert signed.actor.role == "developer"


async def test_a_state_is_good_once_and_not_for_long(
    engine: AsyncEngine, there: Identities
) -> None:
    async with trusting(engine, there) as house:
        url, browser = await house.oidc.begin("/")
        brought = there.authorize(url)
        answer = Answer(brought["code"], brought["state"], browser, brought["iss"])
        await house.oidc.finish(answer)
        fresh = there.authorize(url)["code"]
        with pytest.raises(ProviderRefused):
            await house.oidc.finish(Answer(fresh, answer.state, browser, answer.issuer))
        url, browser = await house.oidc.begin("/")
        brought = there.authorize(url)
        house.moment += timedelta(minutes=10)
        with pytest.raises(ProviderRefused):
            await house.oidc.finish(Answer(brought["code"], brought["state"], browser, there.url))


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "made-up", "browser": "made-up"},
        {"browser": ""},
        {"browser": "of another browser"},
        {"state": "\ud800"},
        {"code": "made-up"},
        {"iss": "https://attacker.example"},
        {"iss": None},
    ],
)
async def test_an_answer_that_was_changed(
    engine: AsyncEngine, there: Identities, changed: dict[str, str | None]
) -> None:
    async with trusting(engine, there) as house:
        with pytest.raises(ProviderRefused):
            await house.enter(**changed)
        assert await house.office.users.list(HOST) == []


def _with(**changes: Any) -> Callable[[Claims], Claims]:
    return lambda claims: {**claims, **changes}


def _without(name: str) -> Callable[[Claims], Claims]:
    return lambda claims: {key: value for key, value in claims.items() if key != name}


def _late(seconds: int) -> Callable[[Claims], Claims]:
    return lambda claims: {
        **claims, "iat": claims["iat"] + seconds, "exp": claims["exp"] + seconds
    }  # fmt: skip


@pytest.mark.parametrize(
    "twist",
    [
        _with(nonce="another"),
        _with(nonce=None),
        _with(nonce="\ud800"),
        _without("nonce"),
        _with(iss="https://attacker.example"),
        _without("iss"),
        _with(aud="another"),
        _with(aud=["another"]),
        _with(aud=[CLIENT, "another"]),
        _with(azp="another"),
        _without("aud"),
        _with(exp=int(time.time()) - 3600),
        _without("exp"),
        _with(exp="soon"),
        _with(exp=True),
        _with(nbf=int(time.time()) + 3600),
        _late(-400 - 60),
        _late(120),
        _without("sub"),
        _with(sub=""),
        _with(sub=7),
        _with(sub="x" * 256),
        _with(sub="\ud800"),
        _with(roles=["stranger"]),
        _with(roles=None),
        _with(roles={"dev": 1}),
        _without("roles"),
    ],
)
async def test_a_token_that_does_not_hold(
    engine: AsyncEngine, there: Identities, twist: Callable[[Claims], Claims]
) -> None:
    async with trusting(engine, there) as house:
        there.twist = twist
        with pytest.raises(ProviderRefused):
            await house.enter()
        assert await house.office.users.list(HOST) == []
        there.twist = lambda claims: claims
        assert await house.enter()


@pytest.mark.parametrize("seconds", [-50, 50])
async def test_clocks_may_differ_a_little(
    engine: AsyncEngine, there: Identities, seconds: int
) -> None:
    async with trusting(engine, there) as house:
        there.twist = _late(seconds)
        assert await house.enter()


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _unsigned(claims: Claims) -> str:
    return f"{_part({'alg': 'none'})}.{_part(claims)}."


def _shared(claims: Claims) -> str:
    key = OctKey.import_key("x" * 32)
    return jwt.encode({"alg": "HS256", "kid": "shared"}, claims, key)


OTHER = RSAKey.generate_key(2048, {"kid": "k1"})


def _by(key: RSAKey, kid: str, algorithm: str = "RS256") -> Callable[[Claims], str]:
    return lambda claims: jwt.encode({"alg": algorithm, "kid": kid}, claims, key, [algorithm])


def _says(text: str) -> Callable[[Claims], str]:
    return lambda claims: text


@pytest.mark.parametrize(
    "sign",
    [
        _unsigned,
        _shared,
        _by(OTHER, "k1"),
        _by(OTHER, "nobody"),
        _by(OTHER, "k1", "RS384"),
        _says("not.a.token"),
        _says(""),
        _says("x" * 100_000),
    ],
    ids=["none", "shared", "another key", "unknown key", "RS384", "no token", "empty", "long"],
)
async def test_a_token_that_the_provider_did_not_sign(
    engine: AsyncEngine, there: Identities, sign: Callable[[Claims], str]
) -> None:
    async with trusting(engine, there) as house:
        there.sign = sign
        with pytest.raises(ProviderRefused):
            await house.enter()


async def test_the_public_key_is_no_shared_secret(engine: AsyncEngine, there: Identities) -> None:
    """The classic confusion: HS256 keyed with the PEM of the public key."""
    pem = there.key.as_pem(private=False)
    mac = base64.urlsafe_b64encode(b"x" * 32).rstrip(b"=").decode()

    def confused(claims: Claims) -> str:
        import hashlib
        import hmac

        signed = f"{_part({'alg': 'HS256', 'kid': 'k1'})}.{_part(claims)}"
        made = hmac.digest(pem, signed.encode(), hashlib.sha256)
        return f"{signed}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode() or mac}"

    async with trusting(engine, there) as house:
        there.sign = confused
        with pytest.raises(ProviderRefused):
            await house.enter()


async def test_new_keys_are_fetched(engine: AsyncEngine, there: Identities) -> None:
    async with trusting(engine, there) as house:
        await house.enter()
        there.key = RSAKey.generate_key(2048, {"kid": "k2"})
        with pytest.raises(ProviderRefused):  # asked for only just now
            await house.enter()
        house.clock.now += 31
        assert await house.enter()


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://attacker.example"},
        {"token_endpoint": "http://192.0.2.1/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
        {"token_endpoint": "http://[half"},
        {"filling": "x" * 600_000},
    ],
)
async def test_a_provider_that_says_what_does_not_hold(
    engine: AsyncEngine, there: Identities, metadata: Claims
) -> None:
    async with trusting(engine, there) as house:
        there.metadata = metadata
        with pytest.raises(ProviderUnavailable):
            await house.enter()


async def test_no_code_or_secret_follows_a_redirect(
    engine: AsyncEngine, there: Identities, left_machine: list[str]
) -> None:
    async with trusting(engine, there) as house:
        there.metadata = {"token_endpoint": f"{there.url}/away"}
        with pytest.raises((ProviderRefused, ProviderUnavailable)):
            await house.enter()
    assert not left_machine


@pytest.mark.parametrize(
    ("back", "kept"),
    [
        ("/admin?a=1", True),
        ("//attacker.example", False),
        ("https://attacker.example", False),
        ("/\\attacker.example", False),
        ("/\r\nset-cookie: x", False),
        ("/" + "x" * 600, False),
        ("", False),
    ],
)
async def test_where_one_comes_back_to_is_ours(
    engine: AsyncEngine, there: Identities, back: str, kept: bool
) -> None:
    async with trusting(engine, there) as house:
        url, browser = await house.oidc.begin(back)
        brought = there.authorize(url)
        answer = Answer(brought["code"], brought["state"], browser, brought["iss"])
        assert (await house.oidc.finish(answer))[1] == (back if kept else "/")


@pytest.mark.parametrize("role", ["system_admin", "security_admin", "audit_admin", "host", "king"])
def test_no_claim_makes_an_administrator_of_the_platform(role: str) -> None:
    with pytest.raises(SettingsError, match=role):
        RoleMap("roles", {"x": role}, "root")
