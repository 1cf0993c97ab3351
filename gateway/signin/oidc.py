"""Signing in at a provider: the authorization code flow with PKCE, and whom it makes. No HTTP.

A state is good once, for ten minutes, and only in the browser that it was given to. Whoever the
provider vouches for is known by issuer and subject, never by a name.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from zhengwu.db.tables import OidcState, User, now
from zhengwu.db.tables.base import in_utc
from zhengwu.errors import SettingsError
from zhengwu.gateway.signin.errors import ProviderRefused, SignInRefused
from zhengwu.gateway.signin.provider import REFUSED, Provider
from zhengwu.gateway.signin.sessions import Sessions, end_all
from zhengwu.gateway.tenancy.actions import AdminWrites
from zhengwu.gateway.tenancy.changes import TENANCY
from zhengwu.gateway.tenancy.errors import BadName
from zhengwu.gateway.tenancy.names import unit_name, user_name
from zhengwu.gateway.tenancy.roles import THREE, Actor, load_roles
from zhengwu.gateway.tenancy.tree import path_to
from zhengwu.gateway.tenancy.users import new_row, record_of

MINUTES = timedelta(minutes=10)
STRONG = frozenset({"mfa", "otp", "hwk"})
"""Authentication methods (RFC 8176) that show a second factor."""


@dataclass(frozen=True)
class RoleMap:
    """Which value of which claim makes which role, the first that fits; and in which unit."""

    claim: str
    roles: Mapping[str, str]
    tenant: str

    def __post_init__(self) -> None:
        """Refuse roles that no claim may make.

        Raises:
            SettingsError: names the role.
        """
        for value, role in self.roles.items():
            known = load_roles().roles.get(role)
            if known is None or role in THREE or not known.by_key:
                raise SettingsError(
                    f"ZHENGWU_OIDC_ROLES：“{value}”不能对应角色“{role}”。"
                    "系统、安全、审计管理员须在本平台创建并启用动态码。"
                )

    def role_of(self, claims: Mapping[str, Any]) -> str | None:
        """The role of these claims; None if nothing fits."""
        given = claims.get(self.claim)
        values = given if isinstance(given, list) else [given]
        return next((role for value, role in self.roles.items() if value in values), None)


@dataclass(frozen=True)
class Answer:
    """What the browser brings back from the provider, and the cookie it was given before."""

    code: str
    state: str
    browser: str
    issuer: str | None = None


@dataclass(frozen=True)
class _Begun:
    """A sign-in that was begun here."""

    nonce: str
    verifier: str
    back: str


class OidcSignIn:
    """Signs people in whom the provider vouches for."""

    def __init__(
        self,
        provider: Provider,
        roles: RoleMap,
        writes: AdminWrites,
        sessions: Sessions,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._provider = provider
        self._roles = roles
        self._writes = writes
        self._sessions = sessions
        self._clock = clock

    async def begin(self, back: str) -> tuple[str, str]:
        """Where to send the browser, and the cookie it must bring back. `back`: a path of ours."""
        state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        verifier = secrets.token_urlsafe(64)
        url = await self._provider.authorization_url(state, nonce, verifier)
        moment = self._clock()
        async with AsyncSession(self._writes.engine) as session, session.begin():
            await session.execute(delete(OidcState).where(OidcState.ends <= moment))
            session.add(
                OidcState(
                    digest=_digest(state),
                    nonce=nonce,
                    verifier=verifier,
                    back=_own_path(back),
                    ends=moment + MINUTES,
                )
            )
        return url, state

    async def finish(self, answer: Answer) -> tuple[str, str]:
        """The cookie of a new session, and the path to go back to.

        Raises:
            ProviderRefused: state, code or token do not hold, or no role fits.
            SignInRefused: the user is disabled.
            ProviderUnavailable: the provider cannot be reached.
        """
        if not hmac.compare_digest(_digest(answer.state), _digest(answer.browser)):
            raise ProviderRefused(REFUSED)
        begun = await self._take(answer.state)
        await self._provider.check_issuer(answer.issuer)
        token = await self._provider.exchange(answer.code, begun.verifier)
        claims = await self._provider.verify(token, begun.nonce)
        role = self._roles.role_of(claims)
        if role is None:
            raise ProviderRefused("您的统一身份认证账号没有本平台的角色，请联系本单位管理员开通。")
        methods = claims.get("amr")
        strong = isinstance(methods, list) and bool(STRONG & {str(one) for one in methods})
        return await self._start(claims, role, strong), begun.back

    async def _take(self, state: str) -> _Begun:
        """The sign-in that was begun, taken out: a state is good once."""
        async with AsyncSession(self._writes.engine) as session, session.begin():
            taken = delete(OidcState).where(OidcState.digest == _digest(state))
            kept = taken.returning(
                OidcState.nonce, OidcState.verifier, OidcState.back, OidcState.ends
            )
            row = (await session.execute(kept)).one_or_none()
        if row is None or in_utc(row.ends) <= self._clock():
            raise ProviderRefused(REFUSED)
        return _Begun(row.nonce, row.verifier, row.back)

    async def _start(self, claims: Mapping[str, Any], role: str, strong: bool) -> str:
        issuer, subject = str(claims["iss"]), str(claims["sub"])
        async with self._writes.change(TENANCY) as session:
            known = select(User).where(User.issuer == issuer, User.subject == subject)
            user = await session.scalar(known)
            if user is None:
                user = await self._new(session, claims, role)
            if user.state != "active":
                raise SignInRefused("您的账号已停用，请联系本单位管理员。")
            actor = Actor(f"user:{user.id}", role)
            if user.role != role:
                before = record_of(user)
                user.role = role
                await end_all(session, user.id)
                await self._writes.record(
                    session, actor, "role.claimed", actor.id, before, record_of(user)
                )
            user.last_sign_in = self._clock()
            await self._writes.record(session, actor, "sign_in", actor.id)
            return await self._sessions.start(session, user.id, strong)

    async def _new(self, session: AsyncSession, claims: Mapping[str, Any], role: str) -> User:
        await path_to(session, self._roles.tenant)
        name = await _free_name(session, claims)
        user = new_row(name, _display(claims, name), self._roles.tenant, role, None)
        user.issuer, user.subject = str(claims["iss"]), str(claims["sub"])
        session.add(user)
        await session.flush()
        actor = Actor(f"user:{user.id}", role)
        await self._writes.record(session, actor, "user.join", actor.id, None, record_of(user))
        return user


async def _free_name(session: AsyncSession, claims: Mapping[str, Any]) -> str:
    """The name the provider gives, unless it is taken or cannot be told from others."""
    made = hashlib.sha256(f"{claims['iss']} {claims['sub']}".encode()).hexdigest()[:20]
    try:
        name = user_name(str(claims.get("preferred_username", "")))
    except BadName:
        return f"u-{made}"
    taken = await session.scalar(select(User.id).where(User.name_key == name))
    return f"u-{made}" if taken else name


def _display(claims: Mapping[str, Any], name: str) -> str:
    try:
        return unit_name(str(claims.get("name", "")))[0]
    except BadName:
        return name


def _own_path(back: str) -> str:
    """A path on this site; anything else goes to the front page."""
    plain = back.startswith("/") and not back.startswith("//") and "\\" not in back
    return back if plain and back.isprintable() and len(back) <= 500 else "/"


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()
