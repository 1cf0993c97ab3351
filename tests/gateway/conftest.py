"""A gateway on a free port, in front of a real upstream and a real database."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from multidict import CIMultiDictProxy
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.citizen import OneShelf, Scripted
from tests.gateway.upstream import Wire, running_upstream

from zhengwu.db.home import open_engine
from zhengwu.gateway.app import Parts, create_app
from zhengwu.gateway.parts import open_parts
from zhengwu.gateway.server import bind, make_server
from zhengwu.gateway.tenancy.keys import ApiKeys, NewKey
from zhengwu.gateway.tenancy.roles import host_actor
from zhengwu.settings import Settings, read_settings

Headers = CIMultiDictProxy[str]


@dataclass
class Running:
    """A gateway that is being served, and what stands behind it."""

    url: str
    key: str
    key_id: str
    wire: Wire
    asker: Scripted
    keys: ApiKeys
    http: aiohttp.ClientSession
    parts: Parts

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    async def post(self, path: str, **given: Any) -> tuple[int, dict[str, Any], Headers]:
        async with self.http.post(self.url + path, **given) as answer:
            return answer.status, await answer.json(), answer.headers

    async def get(self, path: str, **given: Any) -> tuple[int, dict[str, Any], Headers]:
        async with self.http.get(self.url + path, **given) as answer:
            return answer.status, await answer.json(), answer.headers


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with running_upstream() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, wire: Wire) -> Settings:
    return read_settings(home=tmp_path, pool_port=wire.port)


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    async with open_engine(settings) as opened:
        yield opened


@pytest.fixture
def asker() -> Scripted:
    return Scripted()


@pytest.fixture
async def gateway(
    settings: Settings, engine: AsyncEngine, wire: Wire, asker: Scripted
) -> AsyncIterator[Running]:
    """The real parts but for the answer path and the shelf, served by uvicorn."""
    async with open_parts(settings, engine, lambda ground: asker, {}) as real:
        parts = replace(real, knowledge=OneShelf())
        listener = bind("127.0.0.1", 0)
        server = make_server(create_app(settings, parts))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await _started(server, serving)
        keys = parts.office.keys
        key, record = await keys.create(host_actor("test"), NewKey("测试应用"))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with aiohttp.ClientSession() as http:
            yield Running(url, key, record.id, wire, asker, keys, http, parts)
        server.should_exit = True
        await serving


async def _started(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    while not server.started:
        assert not serving.done(), serving.result()
        await asyncio.sleep(0.01)
