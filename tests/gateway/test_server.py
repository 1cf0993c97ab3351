"""The gateway as a process: its first key, Ctrl-C, kill -9, a taken port, a second gateway."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
import pytest

from zhengwu.gateway.server import bind

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Started:
    process: asyncio.subprocess.Process
    url: str

    async def stop(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = await asyncio.wait_for(self.process.communicate(), 15)
        assert self.process.returncode is not None
        return self.process.returncode, out.decode(), err.decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def launch(
    home: Path, port: int, *options: str, database: str | None = None
) -> asyncio.subprocess.Process:
    given = {"ZHENGWU_DATABASE_URL": database} if database else {}
    module = "zhengwu.cli.app" if options else "tests.gateway.gateway_process"
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *options,
        cwd=ROOT,
        env={
            **os.environ,
            **given,
            "PYTHONPATH": str(ROOT / "src"),
            "ZHENGWU_HOME": str(home),
            "ZHENGWU_GATEWAY_PORT": str(port),
            "ZHENGWU_POOL_PORT": str(free_port()),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@asynccontextmanager
async def started(home: Path, port: int | None = None) -> AsyncGenerator[Started]:
    port = port or free_port()
    process = await launch(home, port)
    url = f"http://127.0.0.1:{port}"
    try:
        await answering(url, process)
        yield Started(process, url)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def answering(url: str, process: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession() as http, asyncio.timeout(60):
        while process.returncode is None:
            try:
                async with http.get(f"{url}/healthz") as answer:
                    assert answer.status == 200
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
    raise AssertionError("the gateway ended before it answered")


async def test_the_first_key_is_shown_once_and_works(tmp_path: Path) -> None:
    async with started(tmp_path) as gateway:
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{gateway.url}/readyz") as answer:
                assert answer.status == 503  # nothing runs on the pool's port
                assert "模型尚未就绪" in await answer.text()
        status, out, err = await gateway.stop()
    assert status == 0
    [key] = re.findall(r"zw-[\w-]{43}", err)
    assert key not in out
    async with started(tmp_path) as gateway:
        headers = {"authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            async with http.get(f"{gateway.url}/v1/models") as answer:
                assert answer.status == 200
        status, out, err = await gateway.stop(signal.SIGTERM)
    assert status == 0
    assert "zw-" not in out + err


async def test_ctrl_c_ends_it_while_an_answer_streams(tmp_path: Path) -> None:
    async with started(tmp_path) as gateway, aiohttp.ClientSession() as http:
        async with http.post(f"{gateway.url}/api/qa", json={"question": "问"}) as answer:
            await answer.content.readuntil(b"\n\n")
            status, _, _ = await gateway.stop()
    assert status == 0


async def test_killed_and_started_again(tmp_path: Path) -> None:
    port = free_port()
    async with started(tmp_path, port) as gateway:
        status, _, _ = await gateway.stop(signal.SIGKILL)
        assert status == -signal.SIGKILL
    async with started(tmp_path, port) as gateway:
        assert (await gateway.stop())[0] == 0


async def test_a_taken_port_is_named_with_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = await launch(tmp_path, taken.getsockname()[1])
        _, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert "ZHENGWU_GATEWAY_PORT" in err.decode()
    assert "Traceback" not in err.decode()


async def test_a_second_gateway_on_the_same_sqlite_is_refused(tmp_path: Path) -> None:
    async with started(tmp_path) as gateway:
        process = await launch(tmp_path, free_port())
        _, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 1
        assert "PostgreSQL" in err.decode()
        assert (await gateway.stop())[0] == 0


@pytest.mark.parametrize("host", ["::1", "127.0.0.1"])
def test_binding_either_family(host: str) -> None:
    with bind(host, 0) as listener:
        assert listener.getsockname()[1] > 0


@pytest.mark.postgres
async def test_several_processes_share_an_address_and_replace_each_other(
    tmp_path: Path, database_url: str
) -> None:
    if database_url.startswith("sqlite"):
        process = await launch(tmp_path, free_port(), "gateway", "--workers", "2")
        _, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 1 and "PostgreSQL" in err.decode()
        return
    port = free_port()
    process = await launch(tmp_path, port, "gateway", "--workers", "2", database=database_url)
    try:
        await answering(f"http://127.0.0.1:{port}", process)
        workers = psutil.Process(process.pid).children()
        assert len(workers) == 2
        workers[0].kill()
        async with asyncio.timeout(60):
            while len(alive := {w.pid for w in psutil.Process(process.pid).children()}) < 2 or (
                workers[0].pid in alive
            ):
                await asyncio.sleep(0.1)
        await answering(f"http://127.0.0.1:{port}", process)
        children = psutil.Process(process.pid).children()
        process.kill()  # the workers see their input end
        _, alive_still = await asyncio.to_thread(psutil.wait_procs, children, 30)
        assert alive_still == []
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
