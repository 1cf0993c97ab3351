"""`zhengwu gateway`: the gateway process. No logic: it runs what `gateway/server.py` does."""

import asyncio
import os
from typing import Annotated

import typer
import uvloop

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.parts import MakeAsker, real_asker
from zhengwu.gateway.server import serve, set_up_logs
from zhengwu.gateway.workers import serve_workers
from zhengwu.settings import read_settings


def register(app: typer.Typer, make_asker: MakeAsker = real_asker) -> None:
    """Add the command to `app`. `make_asker` builds the answer path from what it stands on."""

    @app.command(help="启动网关和网页，直到 Ctrl-C。通常由 zhengwu up 启动。")
    def gateway(  # pyright: ignore[reportUnusedFunction]
        workers: Annotated[
            int, typer.Option(min=1, max=64, help="进程数；大于 1 时须用 PostgreSQL")
        ] = 1,
        shared: Annotated[bool, typer.Option(hidden=True)] = False,
    ) -> None:
        set_up_logs()
        settings = read_settings()
        try:
            if workers > 1:
                asyncio.run(serve_workers(settings, workers))
            else:
                uvloop.run(serve(settings, make_asker, os.environ, shared))
        except ZhengwuError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error
