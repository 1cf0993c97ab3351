"""`zhengwu up`, `down`, `status`. No logic: it shows what `serving/stack.py` does."""

import asyncio
import json
import sys
from threading import Thread
from typing import Annotated, NoReturn

import typer

from zhengwu.cli.ask import print_answer
from zhengwu.db.home import open_engine
from zhengwu.errors import ZhengwuError
from zhengwu.gateway.server import show_first_key
from zhengwu.gateway.tenancy.keys import ensure_admin_key
from zhengwu.gateway.tenancy.office import action_trail
from zhengwu.serving import stack
from zhengwu.serving.children import gateway_url
from zhengwu.serving.events import StackEvent
from zhengwu.settings import Settings, read_settings

Json = Annotated[bool, typer.Option("--json", help="每个事件或结果输出一行 JSON")]
Profile = Annotated[str | None, typer.Option(help="embedded（默认，无需 GPU）或 gpu")]
Ask = Annotated[str | None, typer.Option("--ask", help="就绪后自己先问这个问题")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="就绪后返回，服务留在后台")]


def register(app: typer.Typer) -> None:
    """Add the three commands to `app`."""
    app.command(help="启动模型池、后台任务和网关，直到 Ctrl-C 或 zhengwu down。")(up)
    app.command(help="停止正在运行的服务，不留进程。")(down)
    app.command(help="查看各进程和端口；没有运行时退出状态为 3。")(status)


def up(
    profile: Profile = None, detach: Detach = False, question: Ask = None, as_json: Json = False
) -> None:
    """Start the stack and keep it."""

    def show(event: StackEvent) -> None:
        typer.echo(
            event.model_dump_json() if as_json else f"[{event.seconds:6.1f}s] {event.message}"
        )
        if event.event == "up" and question and not detach:
            Thread(target=_ask, args=(settings, question), daemon=True).start()

    try:
        settings = read_settings(**({"profile": profile} if profile else {}))
        asyncio.run(_show_first_key(settings))
        stack.up(settings, show, detach=detach)
        if detach and question:
            _ask(settings, question)
    except ZhengwuError as error:
        _fail(error, as_json)


async def _show_first_key(settings: Settings) -> None:
    """The first admin key is shown here, once: what the gateway prints goes into a log."""
    async with open_engine(settings) as engine:
        secret = await ensure_admin_key(engine, action_trail(settings, engine))
    if secret:
        show_first_key(secret)


def _ask(settings: Settings, question: str) -> None:
    try:
        asyncio.run(print_answer(gateway_url(settings), question))
    except ZhengwuError as error:
        print(f"错误：{error}", file=sys.stderr)


def down(as_json: Json = False) -> None:
    """Stop the stack."""
    try:
        stopped = stack.down(read_settings())
    except ZhengwuError as error:
        _fail(error, as_json)
    text = "已停止" if stopped else "没有正在运行的服务"
    typer.echo(json.dumps({"stopped": stopped}) if as_json else text)


def status(as_json: Json = False) -> None:
    """Show what runs."""
    try:
        found = stack.status(read_settings())
    except ZhengwuError as error:
        _fail(error, as_json)
    if as_json:
        typer.echo(found.model_dump_json())
    elif found.state is None:
        typer.echo("没有正在运行的服务。用 zhengwu up 启动。")
    else:
        typer.echo(f"{found.state.url}  进程 {found.pid}  {found.state.phase}")
        for name, child in found.state.children.items():
            mark = "正常" if found.healthy.get(name) else "未就绪"
            typer.echo(f"  {name:8} {mark}  进程 {child.pid}  重启 {child.restarts} 次")
    if not found.running:
        raise typer.Exit(3)


def _fail(error: ZhengwuError, as_json: bool) -> NoReturn:
    line = json.dumps({"error": {"code": error.code, "message": str(error)}}, ensure_ascii=False)
    print(line if as_json else f"错误：{error}", file=sys.stderr)
    raise typer.Exit(1)
