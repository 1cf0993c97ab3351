"""`zhengwu pool status | deploy`. No logic: it shows what `serving/inspection.py` finds."""

import typer
from rich.console import Console
from rich.table import Table

from zhengwu.cli.output import Json, failures, show
from zhengwu.serving.inspection import EngineStatus, inspect_pool, redeploy
from zhengwu.settings import read_settings

app = typer.Typer(name="pool", help="模型池", no_args_is_help=True)


@app.callback()
def pool() -> None:
    """The pool of engines."""


@app.command(help="每个模型的引擎、健康状态和正在处理的请求数。")
def status(as_json: Json = False) -> None:
    """Show every engine."""
    with failures(as_json):
        _print(inspect_pool(read_settings()), as_json)


@app.command(help="让正在运行的模型池采用当前配置；没有改动的模型不中断。")
def deploy(as_json: Json = False) -> None:
    """Hand the running pool the profile as it reads now."""
    with failures(as_json):
        _print(redeploy(read_settings()), as_json)


def _print(engines: tuple[EngineStatus, ...], as_json: bool) -> None:
    if as_json:
        show({"deployments": [one.model_dump(mode="json") for one in engines]})
        return
    table = Table("模型", "引擎", "状态", "处理中", "上限", "副本", "CPU", "GPU")
    for one in engines:
        least, most = one.replicas
        table.add_row(
            one.model,
            one.engine,
            "正常" if one.healthy else "未就绪",
            "—" if one.ongoing is None else str(one.ongoing),
            str(one.limit),
            str(least) if least == most else f"{least}–{most}",
            f"{one.num_cpus:g}",
            f"{one.num_gpus:g}",
        )
    Console().print(table)
