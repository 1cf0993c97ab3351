"""Signing in with a password: lock-out, second factors used once, sessions that end."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.tenancy.desk import FAST, HOST, SYSTEM, Moment, gateway_on

from zhengwu.db.tables import SignInSession, User
from zhengwu.gateway.signin import totp
from zhengwu.gateway.signin.account import Account
from zhengwu.gateway.signin.errors import (
    CsrfRefused,
    LockedOut,
    SealBroken,
    SecondFactorNeeded,
    SessionEnded,
    SignInRefused,
    WeakPassword,
)
from zhengwu.gateway.signin.factor import Factors
from zhengwu.gateway.signin.lockout import Lockout, delay_s
from zhengwu.gateway.signin.sealed import Seal, seal_key
from zhengwu.gateway.signin.sessions import Sessions, check_csrf
from zhengwu.gateway.signin.sign_in import Attempt, SignIn
from zhengwu.gateway.tenancy.errors import Forbidden, TenantSuspended
from zhengwu.gateway.tenancy.office import Office
from zhengwu.gateway.tenancy.roles import check
from zhengwu.gateway.tenancy.tenants import NewTenant
from zhengwu.gateway.tenancy.users import NewUser

GOOD = "Mq7-tree-lamp"


@dataclass
class House:
    """An office and a door."""

    office: Office
    sign_in: SignIn
    sessions: Sessions
    account: Account
    moment: Moment

    def code(self, secret: str) -> str:
        step = int(self.moment().timestamp() // totp.STEP_S)
        return totp.code_at(base64.b32decode(secret), step)

    async def person(self, name: str, role: str = "developer") -> str:
        """A user with the good password; gives the id."""
        first, record = await self.office.users.create(HOST, NewUser(name, role))
        signed = await self.sessions.who(await self.sign_in(Attempt(name, first)))
        assert signed.must_change and not signed.actor.complete
        await self.account.change_password(signed, first, GOOD)
        return record.id

    async def with_factor(self, name: str, role: str) -> tuple[str, list[str], str]:
        """A user with a second factor; gives its secret, recovery codes and a cookie."""
        await self.person(name, role)
        signed = await self.sessions.who(await self.sign_in(Attempt(name, GOOD)))
        secret = (await self.account.begin_factor(signed)).secret
        cookie, codes = await self.account.confirm_factor(signed, self.code(secret))
        self.moment += timedelta(seconds=30)
        return secret, list(codes), cookie


@asynccontextmanager
async def house_on(engine: AsyncEngine, key: str = "k" * 32) -> AsyncGenerator[House]:
    async with gateway_on(engine) as here:
        moment, writes = Moment(datetime.now(UTC)), here.office.writes
        sessions, lockout = Sessions(engine, clock=moment), Lockout(engine, moment)
        factors = Factors(Seal(key), moment)
        sign_in = SignIn(engine, writes, FAST, lockout, factors, sessions)
        account = Account(writes, FAST, factors, sessions, lockout)
        yield House(here.office, sign_in, sessions, account, moment)


async def test_the_first_password_opens_nothing_but_the_change_of_it(engine: AsyncEngine) -> None:
    async with house_on(engine) as house:
        first, _ = await house.office.users.create(SYSTEM, NewUser("li.si", "tenant_admin"))
        cookie = await house.sign_in(Attempt("Li.Si", first))
        signed = await house.sessions.who(cookie)
        with pytest.raises(Forbidden, match="首次登录"):
            check(signed.actor, "key.read", ("root",))
        with pytest.raises(Forbidden, match="口令"):
            await house.account.begin_factor(signed)
        for new in ("short", first, "Li.Si-2026-abc"):
            with pytest.raises(WeakPassword):
                await house.account.change_password(signed, first, new)
        with pytest.raises(SignInRefused):
            await house.account.change_password(signed, "wrong", GOOD)
        fresh = await house.account.change_password(signed, first, GOOD)
        with pytest.raises(SessionEnded):
            await house.sessions.who(cookie)
        signed = await house.sessions.who(fresh)
        with pytest.raises(Forbidden):  # an administrator needs a second factor
            check(signed.actor, "key.read", ("root",))
        offer = await house.account.begin_factor(signed)
        fresh, codes = await house.account.confirm_factor(signed, house.code(offer.secret))
        check((await house.sessions.who(fresh)).actor, "key.read", ("root",))
        assert len(codes) == 10
        with pytest.raises(SignInRefused):
            await house.sign_in(Attempt("li.si", first))


async def test_wrong_is_wrong_and_never_says_what(engine: AsyncEngine) -> None:
    async with house_on(engine) as house:
        await house.person("zhang.san")
        told = set[str]()
        for attempt in (
            Attempt("zhang.san", "wrong"),
            Attempt("nobody.here", GOOD),
            Attempt("zh\u0430ng.san", GOOD),
            Attempt("", ""),
            Attempt("zhang.san", "x" * 100_000),
            Attempt("\ud800", "\ud800"),
            Attempt("x" * 100_000, "x"),
        ):
            with pytest.raises(SignInRefused) as caught:
                await house.sign_in(attempt)
            told.add(str(caught.value))
        assert len(told) == 1
        assert await house.sign_in(Attempt("ＺＨＡＮＧ.san", GOOD))  # the same keys, another width


@pytest.mark.parametrize("name", ["zhang.san", "nobody.here"])
async def test_failures_lock_a_name_out_longer_each_time(engine: AsyncEngine, name: str) -> None:
    async with house_on(engine) as house:
        await house.person("zhang.san")
        for _ in range(5):
            with pytest.raises(SignInRefused):
                await house.sign_in(Attempt(name, "wrong"))
        with pytest.raises(LockedOut, match="30 秒") as caught:
            await house.sign_in(Attempt(name, GOOD))
        assert caught.value.wait_s == 30
        house.moment += timedelta(seconds=30)
        with pytest.raises(SignInRefused):
            await house.sign_in(Attempt(name, "wrong"))
        house.moment += timedelta(seconds=59)
        with pytest.raises(LockedOut):
            await house.sign_in(Attempt(name, GOOD))
        house.moment += timedelta(hours=25)
        with pytest.raises(SignInRefused):
            await house.sign_in(Attempt(name, "wrong"))
        if name == "zhang.san":
            assert await house.sign_in(Attempt(name, GOOD))
    assert [delay_s(n) for n in (1, 4, 5, 6, 7, 20, 10**6)] == [0, 0, 30, 60, 120, 3600, 3600]


async def test_many_guesses_at_once_are_counted_not_let_through(engine: AsyncEngine) -> None:
    async with house_on(engine) as house:
        await house.person("zhang.san")
        done = await asyncio.gather(
            *(house.sign_in(Attempt("zhang.san", f"guess{n}")) for n in range(12)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, SignInRefused) for one in done) == 5
        assert sum(isinstance(one, LockedOut) for one in done) == 7


async def test_a_code_is_good_once(engine: AsyncEngine) -> None:
    async with house_on(engine) as house:
        secret, recovery, _ = await house.with_factor("wang.wu", "security_admin")
        with pytest.raises(SecondFactorNeeded):
            await house.sign_in(Attempt("wang.wu", GOOD))
        code = house.code(secret)
        done = await asyncio.gather(
            *(house.sign_in(Attempt("wang.wu", GOOD, code)) for _ in range(3)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, str) for one in done) == 1
        house.moment += timedelta(seconds=60)
        old = house.code(secret)
        house.moment += timedelta(seconds=30)
        assert await house.sign_in(Attempt("wang.wu", GOOD, house.code(secret)))
        with pytest.raises(SignInRefused):  # within the window, yet before one that was used
            await house.sign_in(Attempt("wang.wu", GOOD, old))
        for stale in (recovery[0].upper(), recovery[1]):
            assert await house.sign_in(Attempt("wang.wu", GOOD, stale))
            with pytest.raises(SignInRefused):
                await house.sign_in(Attempt("wang.wu", GOOD, stale))
        signed = await house.sessions.who(
            await house.sign_in(Attempt("wang.wu", GOOD, recovery[2]))
        )
        check(signed.actor, "addresses.change")
        with pytest.raises(Forbidden, match="重置"):
            await house.account.begin_factor(signed)


async def test_sessions_end(engine: AsyncEngine) -> None:
    async with house_on(engine) as house:
        user = await house.person("zhang.san")

        async def enter() -> str:
            return await house.sign_in(Attempt("zhang.san", GOOD))

        async def ended(cookie: str) -> bool:
            try:
                await house.sessions.who(cookie)
            except SessionEnded:
                return True
            return False

        idle = await enter()
        for _ in range(4):  # used, so it goes on
            house.moment += timedelta(minutes=20)
            assert not await ended(idle)
        house.moment += timedelta(minutes=30)
        assert await ended(idle)
        longest = await enter()
        for _ in range(29):
            house.moment += timedelta(minutes=24)
            assert not await ended(longest)
        house.moment += timedelta(minutes=24)
        assert await ended(longest)
        out = await enter()
        await house.sessions.end(out)
        assert await ended(out)
        for change in (
            lambda: house.office.users.set_state(HOST, user, "disabled"),
            lambda: house.office.users.set_state(HOST, user, "active"),
            lambda: house.office.users.set_role(HOST, user, "civil_servant"),
            lambda: house.office.users.reset_totp(HOST, user),
        ):
            cookie = None
            try:
                cookie = await enter()
            except SignInRefused:
                pass
            await change()
            assert cookie is None or await ended(cookie)
        for wrong in ("", "x" * 43, "x" * 100_000, "字" * 43, "\ud800" * 43):
            assert await ended(wrong)
        async with engine.connect() as connection:
            rows = (await connection.execute(select(SignInSession.__table__))).all()
        assert all(out not in str(row) for row in rows)


async def test_a_suspended_unit_keeps_its_people_out(engine: AsyncEngine) -> None:
    async with house_on(engine) as house:
        unit = await house.office.tenants.create(HOST, NewTenant("民政局"))
        first, _ = await house.office.users.create(HOST, NewUser("li.si", "civil_servant", unit.id))
        cookie = await house.sign_in(Attempt("li.si", first))
        assert (await house.sessions.who(cookie)).caller.tenant_path == ("root", unit.id)
        await house.office.tenants.update(HOST, unit.id, {"state": "suspended"})
        with pytest.raises(TenantSuspended):
            await house.sessions.who(cookie)


async def test_a_write_needs_the_token_of_its_own_session(engine: AsyncEngine) -> None:
    async with house_on(engine) as house:
        await house.person("zhang.san")
        one, other = [
            await house.sessions.who(await house.sign_in(Attempt("zhang.san", GOOD)))
            for _ in range(2)
        ]
        check_csrf(one, one.csrf)
        for wrong in (None, "", other.csrf, "字", one.csrf + "0"):
            with pytest.raises(CsrfRefused):
                check_csrf(one, wrong)


async def test_secrets_are_sealed(engine: AsyncEngine, tmp_path: Path) -> None:
    async with house_on(engine) as house:
        secret, _, _ = await house.with_factor("wang.wu", "audit_admin")
        async with engine.connect() as connection:
            row = (await connection.execute(select(User.__table__))).one()
        assert secret not in str(row) and row.totp is not None
    async with house_on(engine, "another key, as long as the first") as house:
        with pytest.raises(SealBroken, match="ZHENGWU_SECRET_KEY"):
            await house.sign_in(Attempt("wang.wu", GOOD, "123456"))
    with pytest.raises(SealBroken):
        Seal("k" * 32).open(row.totp, "somebody else")
    made = seal_key(None, tmp_path)
    assert seal_key(None, tmp_path) == made and len(made) >= 32
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
    assert seal_key("given", tmp_path) == "given"


async def test_what_administrators_did_can_only_be_added_to(engine: AsyncEngine) -> None:
    async with house_on(engine) as house:
        await house.person("zhang.san")
        for change in ("UPDATE admin_actions SET actor = 'x'", "DELETE FROM admin_actions"):
            with pytest.raises(DatabaseError, match="append-only"):
                async with engine.begin() as connection:
                    await connection.execute(text(change))
        async with engine.connect() as connection:
            rows = (await connection.execute(text("SELECT action FROM admin_actions"))).all()
        assert [row.action for row in rows] == ["user.create", "sign_in", "password.change"]
