"""Keys: shown once, kept as digests, revoked at once."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.tables import ApiKey
from zhengwu.gateway.auth import bearer
from zhengwu.gateway.errors import KeyRefused
from zhengwu.gateway.keys import ApiKeys, UnknownKey, digest, ensure_admin_key


async def test_a_key_is_shown_once_and_kept_as_a_digest(engine: AsyncEngine) -> None:
    secret, record = await ApiKeys(engine).create("办公系统", "app")
    assert re.fullmatch(r"zw-[A-Za-z0-9_-]{43}", secret)
    async with engine.connect() as connection:
        row = (await connection.execute(select(ApiKey.__table__))).one()
    assert row.digest == digest(secret)
    assert secret not in str(row)
    assert (await ApiKeys(engine).verify(secret)) == record
    assert await ApiKeys(engine).list() == [record]


async def test_revoking(engine: AsyncEngine) -> None:
    keys = ApiKeys(engine)
    secret, record = await keys.create("办公系统", "app")
    revoked = await keys.revoke(record.id)
    assert revoked.revoked is not None
    assert (await keys.revoke(record.id)).revoked == revoked.revoked
    with pytest.raises(KeyRefused, match="吊销"):
        await keys.verify(secret)
    with pytest.raises(UnknownKey, match="zhengwu key list"):
        await keys.revoke("nobody")


async def test_a_key_past_its_date(engine: AsyncEngine) -> None:
    end = datetime(2026, 1, 1, tzinfo=UTC)
    secret, _ = await ApiKeys(engine).create("试用", "app", expires=end)
    early = ApiKeys(engine, clock=lambda: end - timedelta(seconds=1))
    assert (await early.verify(secret)).expires == end
    with pytest.raises(KeyRefused, match="过期"):
        await ApiKeys(engine, clock=lambda: end).verify(secret)


async def test_the_first_admin_key_is_made_once(engine: AsyncEngine) -> None:
    made = await asyncio.gather(*(ensure_admin_key(engine) for _ in range(4)))
    [secret] = [one for one in made if one]
    keys = ApiKeys(engine)
    record = await keys.verify(secret)
    assert record.role == "admin"
    await keys.revoke(record.id)
    assert await ensure_admin_key(engine) is None


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic zw-x", "zw-x"])
def test_headers_without_a_key(header: str | None) -> None:
    with pytest.raises(KeyRefused):
        bearer(header)


def test_the_scheme_may_be_written_small() -> None:
    assert bearer("bearer  zw-x ") == "zw-x"
