"""Serves the gateway with uvicorn: one process, one socket, bound before anything else starts."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path

import uvicorn
from filelock import FileLock, Timeout
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp

from zhengwu.db.engine import is_sqlite
from zhengwu.db.home import open_engine
from zhengwu.gateway.app import Parts, create_app
from zhengwu.gateway.edge.observe import LOGGER as ACCESS
from zhengwu.gateway.errors import AlreadyRunning, PortTaken
from zhengwu.gateway.parts import MakeAsker, open_parts
from zhengwu.gateway.pool_load import PoolLoad
from zhengwu.gateway.tenancy.keys import ensure_admin_key
from zhengwu.gateway.tenancy.office import action_trail
from zhengwu.gateway.wire.later import later_handlers, working_later
from zhengwu.gateway.wire.through import KeyOwners
from zhengwu.settings import Settings

GRACE_S = 3
"""How long answers under way may take to end after Ctrl-C."""
BACKLOG = 2048
SWITCH_S = 0.0005
"""How long one thread may go on while another waits for the interpreter; Python's own is 5 ms."""
COLLECT_AFTER = (10_000, 20, 20)
"""Thresholds of the garbage collector's generations; a request makes some hundred objects."""


class Server(uvicorn.Server):
    """Ends quietly: uvicorn itself would raise the signal again and skip what is left to close."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Ask the server to end at Ctrl-C or SIGTERM, and at once at the second."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


async def serve(
    settings: Settings,
    make_asker: MakeAsker,
    environment: Mapping[str, str],
    shared: bool = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    As one of several on the address (`shared`) also until standard input ends: it does when the
    process that started them is gone.

    Raises:
        PortTaken: the address cannot be listened on.
        AlreadyRunning: another gateway works on the same SQLite database.
    """
    with alone(settings), bind(settings.gateway_host, settings.gateway_port, shared) as listener:
        async with open_engine(settings) as engine:
            secret = await ensure_admin_key(engine, action_trail(settings, engine))
            if secret:
                show_first_key(secret)
            async with open_parts(settings, engine, make_asker, environment) as parts:
                server = make_server(create_app(settings, parts))
                spare_the_requests()
                if shared:
                    end_with_input(server)
                async with later(settings, engine, parts):
                    await server.serve(sockets=[listener])


@asynccontextmanager
async def later(settings: Settings, engine: AsyncEngine, parts: Parts) -> AsyncGenerator[None]:
    """Work on batches and responses in the background while the gateway serves."""
    async with PoolLoad(settings) as load:
        owners = KeyOwners(engine)
        handlers = later_handlers(parts.wire, owners, load.busy, settings.batch_at_once)
        async with working_later(engine, handlers):
            yield


def end_with_input(server: uvicorn.Server) -> None:
    """End `server` when standard input ends."""

    def look() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            server.should_exit = True

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), look)


def spare_the_requests() -> None:
    """Take what start-up made out of the garbage collector's sight: it stays until the end.

    Otherwise every full collection walks through all modules, in the middle of a request. Nor may
    a thread that brings records to the database keep the requests' own waiting for long.
    """
    sys.setswitchinterval(SWITCH_S)
    # Asyncio keeps a list of running generators only to close them when a loop ends with some left
    # open; here whoever opens one closes it, and what is forgotten its finalizer still closes.
    sys.set_asyncgen_hooks(firstiter=None)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def show_first_key(secret: str) -> None:
    """Print the first admin key, the only time it can be seen. It goes into no log."""
    print(f"首个管理员密钥（只显示这一次，请妥善保存）：\n{secret}", file=sys.stderr, flush=True)


def alone(settings: Settings) -> FileLock | nullcontext[None]:
    """A lock that one gateway at a time holds on SQLite; on a server database there is none.

    Raises:
        AlreadyRunning: another process holds it.
    """
    if not is_sqlite(settings.database):
        return nullcontext()
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    return _take(settings.run_dir / "gateway.lock")


def _take(path: Path) -> FileLock:
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise AlreadyRunning(
            f"已有一个网关在使用这个 SQLite 数据库（{path}）。请先停止它，"
            "或把 ZHENGWU_DATABASE_URL 设为 PostgreSQL 以运行多个网关。"
        ) from error
    return lock


def bind(host: str, port: int, shared: bool = False) -> socket.socket:
    """A listening socket, alone on its address unless `shared`.

    Callers who come before the application is ready wait in its queue.

    Raises:
        PortTaken: another process listens there, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"无法监听 {host}:{port}（{error.strerror}）。请停止占用该端口的程序，"
            "或用 ZHENGWU_GATEWAY_PORT 换一个端口。"
        ) from error
    return listener


def make_server(app: ASGIApp) -> Server:
    """Uvicorn without its own access log: ours has no addresses and no queries."""
    config = uvicorn.Config(
        app,
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
    )
    return Server(config)


def set_up_logs() -> None:
    """Access lines as bare JSON on standard output; everything else on standard error."""
    access = logging.getLogger(ACCESS)
    access.setLevel(logging.INFO)
    access.propagate = False
    lines = logging.StreamHandler(sys.stdout)
    lines.setFormatter(logging.Formatter("%(message)s"))
    access.handlers = [lines]
    form = "%(asctime)s %(levelname)s %(name)s %(message)s"
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=form)
