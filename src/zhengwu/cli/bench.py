"""`zhengwu bench …`: speed, side by side. No logic: it runs what `eval/bench` does."""

from pathlib import Path
from typing import Annotated

import typer

from zhengwu.cli.output import Json, failures, show
from zhengwu.eval.bench.gateway.measure import Options, bench

app = typer.Typer(name="bench", help="测速：与同类并排比较", no_args_is_help=True)


@app.callback()
def _group() -> None:  # pyright: ignore[reportUnusedFunction]
    """Keep `gateway` a sub-command while it is the only one."""


@app.command(help="网关：与裸转发、LiteLLM 在同一台机器、同一次运行中比较。")
def gateway(
    seconds: Annotated[float, typer.Option(min=0.2, help="每个服务每轮每项测多少秒")] = 5.0,
    clients: Annotated[int, typer.Option(min=1, max=2000, help="测吞吐时的并发客户端")] = 32,
    rounds: Annotated[int, typer.Option(min=1, max=99, help="轮数，取各轮中位数")] = 5,
    streams: Annotated[int, typer.Option(min=0, max=20_000, help="同时多少路流式")] = 0,
    stream_seconds: Annotated[float, typer.Option(min=5, help="每路流式多少秒")] = 300.0,
    requests: Annotated[int, typer.Option(min=0, help="观察内存增长时发多少次请求")] = 0,
    litellm: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="装有 litellm[proxy] 的环境的 python"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the gateway."""

    def progress(told: str) -> None:
        if not as_json:
            typer.echo(told, err=True)

    options = Options(seconds, clients, rounds, streams, stream_seconds, requests, litellm)
    with failures(as_json):
        show(bench(options, progress))
