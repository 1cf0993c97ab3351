"""`zhengwu pool …`. No logic: it shows what `serving/inspection.py` and `operate.py` do."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import yaml
from rich.console import Console
from rich.table import Table

from zhengwu.cli import pool_others
from zhengwu.cli.output import Json, failures, show
from zhengwu.db.home import open_engine
from zhengwu.serving import operate
from zhengwu.serving.errors import SpecError
from zhengwu.serving.inspection import PoolStatus, inspect_pool
from zhengwu.serving.node import join as join_pool
from zhengwu.serving.versions import Versions
from zhengwu.settings import read_settings

app = typer.Typer(name="pool", help="模型池", no_args_is_help=True)
pool_others.register(app)
Model = Annotated[str, typer.Argument(help="模型名")]
PHASES = {
    "serving": "服务中",
    "starting": "启动中",
    "asleep": "休眠（有请求即启动）",
    "drained": "已停止",
    "failed": "失败",
}


@app.callback()
def pool() -> None:
    """The pool of engines."""


@app.command(help="节点、每个模型的版本、副本、排队和占用。")
def status(as_json: Json = False) -> None:
    """Show everything."""
    with failures(as_json):
        _print(inspect_pool(read_settings()), as_json)


@app.command(help="部署或替换一个模型，新版本就绪后才切换；不写模型名则采用当前配置。")
def deploy(
    model: Annotated[str | None, typer.Argument(help="模型名")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", exists=True, dir_okay=False, help="YAML，字段同配置")
    ] = None,
    fields: Annotated[
        list[str] | None, typer.Option("--set", help="字段=值，可多次，如 num_cpus=2")
    ] = None,
    as_json: Json = False,
) -> None:
    """Deploy without losing a request."""
    with failures(as_json):
        settings = read_settings()
        if model is None:
            operate.deploy_profile(settings)
        else:
            operate.deploy(settings, model, {**_file(file), **_fields(fields or [])})
        _print(inspect_pool(settings), as_json)


@app.command(help="把一个模型的副本数定为 N，正在运行的副本不受影响。")
def scale(
    model: Model,
    replicas: Annotated[int, typer.Option("--replicas", min=0, help="副本数")],
    as_json: Json = False,
) -> None:
    """Set the number of replicas."""
    with failures(as_json):
        settings = read_settings()
        operate.scale(settings, model, replicas)
        _print(inspect_pool(settings), as_json)


@app.command(help="腾空一个节点（副本移到其他节点），或在答完手头请求后停止一个模型。")
def drain(
    name: Annotated[str, typer.Argument(help="节点名或模型名")], as_json: Json = False
) -> None:
    """Take a node or a model out of service."""
    with failures(as_json):
        settings = read_settings()
        operate.drain(settings, name)
        _print(inspect_pool(settings), as_json)


@app.command(help="回到一个模型上一个在线过的版本。")
def rollback(
    model: Model,
    to: Annotated[int | None, typer.Option("--to", min=1, help="版本号")] = None,
    as_json: Json = False,
) -> None:
    """Bring an earlier version back."""
    with failures(as_json):
        settings = read_settings()
        operate.rollback(settings, model, to)
        _print(inspect_pool(settings), as_json)


@app.command(help="部署过的版本。")
def history(
    model: Annotated[str | None, typer.Argument(help="模型名")] = None, as_json: Json = False
) -> None:
    """Show every version."""

    async def rows() -> list[dict[str, Any]]:
        async with open_engine(read_settings()) as engine:
            return [
                {
                    "model": row.model,
                    "version": row.version,
                    "state": row.state,
                    "origin": row.origin,
                    "created": row.created.isoformat(),
                    "message": row.message,
                }
                for row in await Versions(engine).history(model)
            ]

    with failures(as_json):
        found = asyncio.run(rows())
        if as_json:
            show({"versions": found})
            return
        table = Table("模型", "版本", "状态", "来源", "时间", "说明")
        for row in found:
            table.add_row(*(str(row[name]) for name in row))
        Console().print(table)


@app.command(help="让本机作为一个节点加入另一台机器的模型池，直到 Ctrl-C 或被腾空。")
def join(
    head: Annotated[str, typer.Argument(help="主节点的 地址:端口")],
    token_file: Annotated[Path, typer.Option("--token-file", help="主节点模型池目录里的 token")],
    name: Annotated[str, typer.Option("--name", help="节点名")],
    num_cpus: Annotated[int | None, typer.Option(min=0)] = None,
    num_gpus: Annotated[int | None, typer.Option(min=0)] = None,
    resources: Annotated[str, typer.Option(help='自定义资源，如 {"NPU": 8}')] = "{}",
    host: Annotated[str | None, typer.Option(help="其他节点访问本机的地址")] = None,
    as_json: Json = False,
) -> None:
    """Become a node."""
    with failures(as_json):
        try:
            own = cast(dict[str, float], json.loads(resources))
        except json.JSONDecodeError as error:
            raise SpecError(f'--resources 应是 JSON，如 {{"NPU": 8}}：{error}。') from error
        raise typer.Exit(join_pool(head, token_file, name, num_cpus, num_gpus, own, host))


def _file(path: Path | None) -> dict[str, object]:
    if path is None:
        return {}
    try:
        found: object = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(f"{path} 不是 YAML：{error}。") from error
    if not isinstance(found, dict):
        raise SpecError(f"{path} 应是一个 YAML 字典，字段同配置文件里的一个部署。")
    return cast(dict[str, object], found)


def _fields(pairs: list[str]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SpecError(f"--set 应写成 字段=值，收到 {pair}。")
        fields[name] = yaml.safe_load(value)
    return fields


def _print(found: PoolStatus, as_json: bool) -> None:
    if as_json:
        show(found.model_dump(mode="json"))
        return
    nodes = Table("节点", "状态", "资源（余/总）")
    for node in found.nodes:
        parts = (f"{k} {node.free.get(k, 0):g}/{v:g}" for k, v in node.resources.items())
        mark = "离线" if not node.alive else "腾空中" if node.drained else "在线"
        nodes.add_row(node.name, mark, "，".join(parts))
    table = Table("模型", "版本", "引擎", "状态", "处理中", "排队", "占用", "副本", "节点")
    for one in found.deployments:
        least, most = one.replicas
        table.add_row(
            one.model,
            str(one.version),
            one.engine,
            PHASES.get(one.phase, one.phase),
            "—" if one.ongoing is None or one.waiting is None else str(one.ongoing - one.waiting),
            "—" if one.waiting is None else f"{one.waiting}/{one.queue_limit}",
            "—" if one.occupancy is None else f"{one.occupancy:.0%}",
            f"{one.running}（{least if least == most else f'{least}–{most}'}）",
            "，".join(f"{name}×{number}" for name, number in one.on_nodes.items()) or "—",
        )
    console = Console()
    console.print(nodes)
    console.print(table)
    if found.message:
        console.print(found.message)
