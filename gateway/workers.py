"""Several gateway processes on one address, started, replaced when one dies, ended together.

Each binds the address itself (SO_REUSEPORT), so the kernel spreads connections over them. Knows
processes; what one of them does is `server.py`'s.
"""

import asyncio
import logging
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process

from zhengwu.db.engine import is_sqlite
from zhengwu.db.home import open_engine
from zhengwu.gateway.errors import NeedsServerDatabase, WorkersFailed
from zhengwu.gateway.server import GRACE_S, bind, show_first_key
from zhengwu.gateway.tenancy.keys import ensure_admin_key
from zhengwu.gateway.tenancy.office import action_trail
from zhengwu.settings import Settings

LOG = logging.getLogger("zhengwu.gateway")
COMMAND = (sys.executable, "-m", "zhengwu.cli.app", "gateway", "--shared")
SHORT_LIFE_S = 10.0
MOST_SHORT_LIVES = 5
PAUSE_S = 1.0


async def serve_workers(settings: Settings, count: int, command: tuple[str, ...] = COMMAND) -> None:
    """Serve with `count` processes until Ctrl-C or SIGTERM.

    Raises:
        NeedsServerDatabase: the database is SQLite, which one gateway at a time may use.
        PortTaken: the address cannot be listened on.
        WorkersFailed: a process ends again and again as soon as it has started.
    """
    if is_sqlite(settings.database):
        raise NeedsServerDatabase(
            "SQLite 只能供一个网关进程使用。请把 ZHENGWU_DATABASE_URL 设为 PostgreSQL，"
            "或去掉 --workers。"
        )
    bind(settings.gateway_host, settings.gateway_port).close()  # nobody else is there
    async with open_engine(settings) as engine:  # before all of them do it at once
        secret = await ensure_admin_key(engine, action_trail(settings, engine))
        if secret:
            show_first_key(secret)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    keeping = [asyncio.create_task(_keep_one(command, stop)) for _ in range(count)]
    await asyncio.wait(keeping, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await asyncio.gather(*keeping)


async def _keep_one(command: tuple[str, ...], stop: asyncio.Event) -> None:
    """Run one process, again whenever it ends, until `stop`."""
    short_lives = 0
    while not stop.is_set():
        began = time.monotonic()
        # Its standard input ends when this process does, however that is: then it ends, too.
        worker = await asyncio.create_subprocess_exec(*command, stdin=PIPE, start_new_session=True)
        ending, stopping = asyncio.create_task(worker.wait()), asyncio.create_task(stop.wait())
        await asyncio.wait({ending, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stop.is_set():
            await _end(worker)
            return
        short_lives = short_lives + 1 if time.monotonic() - began < SHORT_LIFE_S else 0
        LOG.error("gateway process %d ended with %d", worker.pid, worker.returncode)
        if short_lives >= MOST_SHORT_LIVES:
            raise WorkersFailed("网关进程反复退出，请查看上方日志中的原因后重新启动。")
        await asyncio.sleep(PAUSE_S)


async def _end(worker: Process) -> None:
    """Ask it to end; kill it if it takes longer than its answers may."""
    if worker.returncode is None:
        worker.terminate()
    try:
        await asyncio.wait_for(worker.wait(), 2 * GRACE_S + 5)
    except TimeoutError:
        worker.kill()
        await worker.wait()
