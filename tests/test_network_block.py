"""The block itself: what leaves the machine fails, and is noticed."""

import asyncio
import socket

import aiohttp
import pytest

OUTSIDE = ("192.0.2.1", 80)  # TEST-NET-1 (RFC 5737): nobody answers there


def test_sockets_beyond_the_loopback_fail(left_machine: list[str]) -> None:
    with socket.socket() as sock, pytest.raises(OSError, match="may not connect"):
        sock.connect(OUTSIDE)
    with socket.socket() as sock, pytest.raises(OSError, match="may not connect"):
        sock.connect_ex(OUTSIDE)
    assert left_machine == [str(OUTSIDE)] * 2
    left_machine.clear()


async def test_clients_fail_too(left_machine: list[str]) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get("http://192.0.2.1/")
    assert left_machine
    left_machine.clear()


async def test_the_loopback_is_open() -> None:
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with socket.socket() as sock:
            await asyncio.to_thread(sock.connect, ("127.0.0.1", port))
