"""Runs the load over several processes on a database of its own, pauses Redis, and reports."""

import asyncio
import shutil
import socket
import statistics
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import psycopg
from psycopg.sql import SQL, Identifier
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import make_url

from zhengwu.db.engine import is_sqlite, open_database, reader
from zhengwu.db.migrate import migrate
from zhengwu.errors import SettingsError, ZhengwuError
from zhengwu.gateway.limits.bench.load import Sizes, callers
from zhengwu.gateway.limits.bench.verify import Findings, Ledger, hold, spent_in_all
from zhengwu.gateway.limits.bench.worker import Order
from zhengwu.gateway.limits.kinds import MINUTE_KINDS

WARM_S = 5.0
"""How long the load runs before Redis is paused."""
TOTALS = """
SELECT (SELECT used FROM limit_counters WHERE scope = 'tenant:p' AND kind = 'budget_month'),
       (SELECT sum(used) FROM limit_counters WHERE kind = 'concurrency'),
       (SELECT count(*) FROM limit_lapses)
"""


@dataclass(frozen=True)
class Options:
    """How hard to push."""

    workers: int = 4
    clients: int = 200
    seconds: float = 150.0
    pause_redis_s: float = 0.0
    sizes: Sizes = Sizes()
    work_s: float = 0.02


FAR = 10**12


def speed(options: Options) -> Options:
    """The same with limits that nobody reaches and requests that take no time."""
    return replace(options, sizes=Sizes(FAR, FAR, FAR, FAR, FAR, FAR), work_s=0.0)


class WorkerFailed(ZhengwuError):
    """A process of the load ended with an error."""

    code = "bench"


async def bench(url: str, options: Options, tell: Callable[[str], None]) -> dict[str, Any]:
    """Push, then hold the ledger to the limits.

    Raises:
        SettingsError: `url` is not PostgreSQL's, or there is no `redis-server` to pause.
        WorkerFailed: a process of the load ended with an error.
    """
    if is_sqlite(url) and (options.workers > 1 or options.pause_redis_s):
        raise SettingsError(
            "多个网关的限额压测需要 PostgreSQL：请设置 ZHENGWU_DATABASE_URL，或用 --workers 1。"
        )
    with tempfile.TemporaryDirectory() as folder:
        async with (
            database(url, Path(folder)) as own,
            redis(options.pause_redis_s > 0) as redis_url,
        ):
            ledgers = await _push(own, redis_url, options, Path(folder), tell)
            totals = await _totals(own)
        tell("正在核对账目")
        ledger = Ledger()
        for path in ledgers:
            with path.open(encoding="utf-8") as lines:
                for line in lines:
                    ledger.add(orjson.loads(line))
    return report(options, ledger, totals)


def report(options: Options, ledger: Ledger, totals: tuple[int, int, int]) -> dict[str, Any]:
    """What was found, as the command prints it."""
    findings = hold(ledger, callers(options.sizes))
    counted, open_places, lapses = totals
    waits = sorted(ledger.waits_s)
    return {
        "workers": options.workers,
        "clients": options.clients,
        "seconds": options.seconds,
        "redis_paused_s": options.pause_redis_s,
        "let_in": len(ledger.took),
        "refused": len(ledger.turned),
        "unavailable": ledger.unavailable,
        "pairs_per_s": round(len(ledger.took) / options.seconds, 1),
        "decisions_per_s": round(len(waits) / options.seconds, 1),
        "reserve_ms": {
            "p50": round(statistics.median(waits) * 1000, 2),
            "p99": round(waits[int(len(waits) * 0.99)] * 1000, 2),
            "max": round(waits[-1] * 1000, 2),
        },
        "overshoot": sum(max(0, f.highest - f.limit.amount) for f in findings),
        "false_429": sum(f.false for f in findings),
        "minute_limits_reached": _reached(findings, True),
        "other_limits_reached": _reached(findings, False),
        "spent": spent_in_all(ledger),
        "counted": counted,
        "places_left_open": open_places,
        "lapses": lapses,
    }


def _reached(findings: list[Findings], minute: bool) -> dict[str, float]:
    """Of each limit that refused anybody, how much of it was in use at its fullest."""
    return {
        f"{f.limit.scope} {f.limit.kind}": round(f.highest / f.limit.amount, 4)
        for f in findings
        if f.refused and (f.limit.kind in MINUTE_KINDS) == minute
    }


async def _push(
    url: str, redis_url: str | None, options: Options, folder: Path, tell: Callable[[str], None]
) -> list[Path]:
    orders = [
        Order(
            url,
            redis_url,
            options.clients,
            options.seconds,
            number,
            str(folder / f"ledger-{number}.jsonl"),
            options.sizes,
            options.work_s,
        )
        for number in range(options.workers)
    ]
    tell(f"{options.workers} 个网关进程，每个 {options.clients} 个客户端，{options.seconds:.0f} 秒")
    module = "zhengwu.gateway.limits.bench.worker"
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-m", module, order.argument())
        for order in orders
    ]
    try:
        if redis_url and options.pause_redis_s:
            await asyncio.sleep(min(WARM_S, options.seconds / 4))
            tell(f"暂停 Redis {options.pause_redis_s:.0f} 秒")
            await pause(redis_url, options.pause_redis_s)
        for process in processes:
            if await process.wait():
                raise WorkerFailed("一个压测进程异常退出，原因见上面的输出。")
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return [Path(order.ledger) for order in orders]


async def pause(redis_url: str, seconds: float) -> None:
    """Let Redis take commands and answer none."""
    client = Redis.from_url(redis_url)
    await client.client_pause(round(seconds * 1000), all=True)
    await client.aclose()


async def _totals(url: str) -> tuple[int, int, int]:
    engine = open_database(url)
    async with reader(engine).connect() as connection:
        money, places, lapses = [*(await connection.exec_driver_sql(TOTALS)).one()]
    await engine.dispose()
    return int(money or 0), int(places or 0), int(lapses)


@asynccontextmanager
async def database(url: str, folder: Path) -> AsyncGenerator[str]:
    """A database of its own on the server of `url` or, for SQLite, in `folder`; gone afterwards."""
    if is_sqlite(url):
        own = f"sqlite+aiosqlite:///{folder / 'bench.db'}"
        await _shape(own)
        yield own
        return
    name = f"zhengwu_bench_{uuid4().hex[:12]}"
    given = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(given, autocommit=True) as server:
        await server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            own = make_url(url).set(database=name)
            await _shape(own.render_as_string(hide_password=False))
            yield own.render_as_string(hide_password=False)
        finally:
            await server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


async def _shape(url: str) -> None:
    engine = open_database(url)
    await migrate(engine)
    await engine.dispose()


@asynccontextmanager
async def redis(wanted: bool) -> AsyncGenerator[str | None]:
    """A Redis of its own on a free port, gone afterwards; None where none is wanted."""
    if not wanted:
        yield None
        return
    program = shutil.which("redis-server")
    if program is None:
        raise SettingsError("找不到 redis-server，无法测试 Redis 暂停；请先安装 Redis。")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        program,
        *("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await _until_up(f"redis://127.0.0.1:{port}")
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


async def _until_up(url: str) -> None:
    client = Redis.from_url(url)
    async with asyncio.timeout(10):
        while True:
            try:
                await client.ping()
                break
            except (OSError, RedisError):
                await asyncio.sleep(0.05)
    await client.aclose()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
