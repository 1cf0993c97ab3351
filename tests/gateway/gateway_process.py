"""`zhengwu gateway` with the scripted answer path, as a process of its own."""

import typer
from tests.gateway.citizen import ANSWER, Scripted

from zhengwu.cli.gateway import register

if __name__ == "__main__":
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app, lambda ground: Scripted(ANSWER, pause_s=1.0))
    app(["gateway"])
