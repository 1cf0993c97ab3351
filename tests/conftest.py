"""No test leaves this machine, and none depends on the settings of who runs it.

A connection beyond the loopback fails as an unreachable network does, and so does the test that
tried it, even where the code under test took the failure in its stride.
"""

import errno
import ipaddress
import os
import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.needs import need

from zhengwu.db.engine import open_database
from zhengwu.db.migrate import migrate

hypothesis.settings.register_profile("no time is asserted", deadline=None)
hypothesis.settings.load_profile("no time is asserted")
POSTGRES = "postgresql://postgres@127.0.0.1:5432"
_CONNECT, _CONNECT_EX = socket.socket.connect, socket.socket.connect_ex
_attempts: list[str] = []


class NetworkBlocked(OSError):
    """A test tried to leave the machine."""


def _is_local(family: int, address: Any) -> bool:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return True
    host = str(address[0])
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse(sock: socket.socket, address: Any) -> None:
    if _is_local(sock.family, address):
        return
    if sock.type == socket.SOCK_STREAM:
        _attempts.append(str(address))
    raise NetworkBlocked(errno.ENETUNREACH, f"tests may not connect to {address}")


def _connect(self: socket.socket, address: Any) -> None:
    _refuse(self, address)
    _CONNECT(self, address)


def _connect_ex(self: socket.socket, address: Any) -> int:
    _refuse(self, address)
    return _CONNECT_EX(self, address)


def pytest_configure() -> None:
    """Close the network before anything is imported or collected."""
    socket.socket.connect = _connect
    socket.socket.connect_ex = _connect_ex


def pytest_unconfigure() -> None:
    """Give the sockets back."""
    socket.socket.connect = _CONNECT
    socket.socket.connect_ex = _CONNECT_EX


@pytest.fixture
def left_machine() -> list[str]:
    """The addresses beyond the loopback that were tried; a test that means to try clears it."""
    return _attempts


@pytest.fixture(autouse=True)
def stay_at_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clear `ZHENGWU_*`, and fail a test that tried to leave the machine."""
    for name in [*os.environ]:
        if name.startswith("ZHENGWU_") and not name.startswith("ZHENGWU_TEST_"):
            monkeypatch.delenv(name)
    _attempts.clear()
    yield
    tried, _attempts[:] = list(_attempts), []
    assert not tried, f"connections beyond the loopback were tried: {tried}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of each kind, gone afterwards."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'test.db'}"
        return
    name = f"zhengwu_test_{uuid.uuid4().hex[:12]}"
    try:
        server = psycopg.connect(f"{POSTGRES}/postgres", autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        need(False, f"PostgreSQL on 127.0.0.1:5432 as user postgres ({error})")
        raise
    with server:
        server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            yield f"{POSTGRES.replace('://', '+psycopg://')}/{name}"
        finally:
            server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A database of each kind in its newest shape."""
    opened = open_database(database_url)
    await migrate(opened)
    yield opened
    await opened.dispose()
