"""The measurement counts what it claims to."""

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.gateway.audit.timing import measure


async def test_every_request_is_recorded_and_verified(engine: AsyncEngine, tmp_path: Path) -> None:
    told = await measure(engine, tmp_path, 500)
    assert told.ok
    assert told.requests == 500
