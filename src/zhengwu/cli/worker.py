"""`zhengwu worker`: heavy work beside the gateway. No logic: it wires jobs to their handlers."""

import asyncio
import logging
import os
import signal
from contextlib import AsyncExitStack
from uuid import uuid4

import typer

from zhengwu.cli.output import failures
from zhengwu.cli.pooled import open_embedder
from zhengwu.db.home import open_engine
from zhengwu.gateway.pool_load import PoolLoad
from zhengwu.gateway.wire.later import KINDS
from zhengwu.jobs.queue import JobQueue, Lane
from zhengwu.jobs.worker import Worker
from zhengwu.rag.fill import Filler
from zhengwu.rag.intake import JOB, Intake
from zhengwu.settings import Settings, read_settings

IDLE_S = 1.0


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command(help="后台任务进程：入库、补向量。通常由 zhengwu up 启动。")
    def worker() -> None:  # pyright: ignore[reportUnusedFunction]
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        with failures(False):
            asyncio.run(run(read_settings()))


async def run(settings: Settings) -> None:
    """Work until SIGTERM or Ctrl-C."""
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(settings))
        embedder = await stack.enter_async_context(open_embedder(settings, os.environ))
        load = await stack.enter_async_context(PoolLoad(settings))
        name = f"{os.uname().nodename}-{os.getpid()}-{uuid4().hex[:6]}"
        queue = JobQueue(engine, name, Lane(KINDS))
        intake = Intake(engine, settings, queue, running=False)
        filler = Filler(engine, settings.store_dir, embedder, load.busy)
        worker = Worker(queue, {JOB: intake.handle}, filler.step, IDLE_S)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        await worker.run()
