"""How busy the pool is, for background work that must not stand in anyone's way."""

import pytest
from aiohttp import web
from tests.models.conftest import Serve, serve

from zhengwu.gateway.pool_load import PoolLoad
from zhengwu.settings import read_settings

__all__ = ["serve"]


@pytest.mark.parametrize(
    ("status", "body", "busy"),
    [
        (200, '{"ongoing": 0}', False),
        (200, '{"ongoing": 2}', True),
        (503, '{"ongoing": 0}', True),
        (200, "oops", True),
        (200, "{}", True),
        (200, "[]", True),
        (200, '{"ongoing": null}', True),
    ],
)
async def test_only_a_pool_that_says_so_is_idle(
    serve: Serve, status: int, body: str, busy: bool
) -> None:
    async def handle(request: web.Request) -> web.Response:
        assert request.path == "/qwen2.5-coder-1.5b-instruct-q4/load"
        return web.Response(status=status, text=body)

    port = int((await serve(handle)).rpartition(":")[2])
    async with PoolLoad(read_settings(pool_port=port)) as load:
        assert await load.busy() is busy


async def test_a_pool_that_is_down_counts_as_busy() -> None:
    async with PoolLoad(read_settings(pool_port=9)) as load:
        assert await load.busy()
