"""Who connects: every socket the running gateway opens is the egress guard's or `outbound.py`'s."""

import contextlib
import socket
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from typing import Any

import aiohttp
import pytest
from tests.gateway.conftest import Running

from zhengwu.models.egress import Egress
from zhengwu.outbound import Outbound

OPENER: ContextVar[str] = ContextVar("opener", default="nobody")
STORES = {5432, 6379}
"""PostgreSQL and Redis, which have their own drivers."""
CHAT = {"messages": [{"role": "user", "content": "居住证怎么办？"}]}


def named(monkeypatch: pytest.MonkeyPatch, owner: type, method: str, name: str) -> None:
    """Everything that `method` starts is known by `name`, tasks included."""
    real: Any = getattr(owner, method)

    @contextlib.asynccontextmanager
    async def marked(*given: Any, **more: Any) -> AsyncGenerator[Any]:
        before = OPENER.set(name)
        try:
            async with real(*given, **more) as opened:
                yield opened
        finally:
            OPENER.reset(before)

    monkeypatch.setattr(owner, method, marked)


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """Each connection from here on: who opened it, and to where."""
    seen: list[tuple[str, object]] = []
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[1] not in STORES:
            seen.append((OPENER.get(), address))
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    named(monkeypatch, Egress, "open", "egress")
    named(monkeypatch, Outbound, "get", "outbound")
    return seen


async def test_only_egress_and_outbound_connect(
    connects: list[tuple[str, object]], gateway: Running
) -> None:
    token = OPENER.set("test")
    for path, body in (
        ("/v1/chat/completions", {"model": "chat", **CHAT}),
        ("/v1/chat/completions", {"model": "chat", "stream": True, **CHAT}),
        ("/v1/embeddings", {"model": "embed", "input": "居住证"}),
    ):
        async with aiohttp.ClientSession(gateway.url) as http:
            async with http.post(path, json=body, headers=gateway.headers) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()
    await gateway.get("/readyz")
    OPENER.reset(token)
    openers = {who for who, _ in connects}
    assert "egress" in openers
    assert openers <= {"egress", "outbound", "test"}, connects


async def test_the_watch_sees_another_opener(
    connects: list[tuple[str, object]], gateway: Running
) -> None:
    async with aiohttp.ClientSession(gateway.url) as http:
        async with http.get("/healthz"):
            pass
    assert [who for who, _ in connects] == ["nobody"]
