"""`zhengwu gateway`: the gateway process. No logic: it runs what `gateway/server.py` does."""

import os

import typer
import uvloop

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.parts import MakeAsker, real_asker
from zhengwu.gateway.server import serve, set_up_logs
from zhengwu.settings import read_settings


def register(app: typer.Typer, make_asker: MakeAsker = real_asker) -> None:
    """Add the command to `app`. `make_asker` builds the answer path from what it stands on."""

    @app.command(help="启动网关和网页，直到 Ctrl-C。通常由 zhengwu up 启动。")
    def gateway() -> None:  # pyright: ignore[reportUnusedFunction]
        set_up_logs()
        try:
            uvloop.run(serve(read_settings(), make_asker, os.environ))
        except ZhengwuError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error
