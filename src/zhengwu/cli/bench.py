"""`zhengwu bench …`: speed, side by side. No logic: it runs what `eval/bench` and the trail do."""

import asyncio
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from zhengwu.cli.output import Json, failures, show
from zhengwu.db.home import open_engine
from zhengwu.eval.bench.gateway.measure import Options, bench
from zhengwu.gateway.audit.timing import Timing, measure
from zhengwu.gateway.limits.bench import run as limits_bench
from zhengwu.models.catalogue import load_catalogue
from zhengwu.models.weights.folder import locate
from zhengwu.serving.spec import DeploymentSpec
from zhengwu.settings import read_settings

app = typer.Typer(name="bench", help="测速：与同类并排比较", no_args_is_help=True)


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


@app.command(help="限额：多个网关进程同时申请，事后逐笔核对有无超限、有无误拒。")
def limits(
    workers: Annotated[int, typer.Option(min=1, max=32, help="网关进程数")] = 4,
    clients: Annotated[int, typer.Option(min=1, max=2000, help="每个进程的并发客户端")] = 200,
    seconds: Annotated[float, typer.Option(min=1, help="压测多少秒")] = 150.0,
    pause_redis: Annotated[
        float, typer.Option(min=0, help="中途暂停 Redis 多少秒（另起一个 Redis）")
    ] = 0.0,
    speed: Annotated[
        bool, typer.Option("--speed", help="只测速：限额远不可及，请求不耗时")
    ] = False,
    as_json: Json = False,
) -> None:
    """Push at limits with several gateways."""

    def progress(told: str) -> None:
        if not as_json:
            typer.echo(told, err=True)

    options = limits_bench.Options(workers, clients, seconds, pause_redis)
    if speed:
        options = limits_bench.speed(options)
    with failures(as_json):
        show(asyncio.run(limits_bench.bench(read_settings().database, options, progress)))


@app.command(help="经 Ray Serve 与直接访问引擎相比，首词元晚多少。")
def pool(
    model: Annotated[str, typer.Option(help="llama.cpp 模型")] = "qwen2.5-coder-0.5b-instruct-q4",
    rounds: Annotated[int, typer.Option(min=1, help="每种并发的轮数")] = 40,
    streams: Annotated[list[int] | None, typer.Option(help="并发数，可多次给出")] = None,
    tokens: Annotated[int, typer.Option(min=1, help="每个回答的词元数")] = 16,
    as_json: Json = False,
) -> None:
    """Measure the Ray path."""
    from zhengwu.serving.measure import measure_ray_path

    with failures(as_json):
        settings = read_settings()
        numbers = tuple(streams or (1, 8))
        spec = DeploymentSpec(
            model=model,
            engine="llamacpp",
            weights=locate(load_catalogue().get(model), settings),
            num_cpus=0.5,
            target_ongoing_requests=max(numbers),
            max_ongoing_requests=max(numbers),
            context_tokens=1024,
        )
        found = measure_ray_path(spec, rounds, numbers, tokens)
        if as_json:
            show(found.model_dump(mode="json"))
            return
        for load in found.loads:
            typer.echo(
                f"{load.streams} 路：首词元 直连 {load.bare.first_token_ms:g} ms，"
                f"经 Ray {load.ray.first_token_ms:g} ms，多 {load.added_first_token_ms:g} ms；"
                f"每秒词元 {load.bare.tokens_per_s:g} / {load.ray.tokens_per_s:g}"
            )


@app.command(help="审计：每个请求的开销、写库和校验的速度。用临时目录和空数据库。")
def audit(
    requests: Annotated[int, typer.Option(min=100, max=10_000_000, help="请求数")] = 20_000,
    database: Annotated[str | None, typer.Option(help="空数据库的 URL，默认临时 SQLite")] = None,
    as_json: Json = False,
) -> None:
    """Measure the audit trail."""
    with failures(as_json), tempfile.TemporaryDirectory() as folder:
        show(asdict(asyncio.run(_audit(Path(folder), requests, database))))


async def _audit(folder: Path, requests: int, database: str | None) -> Timing:
    settings = read_settings(home=folder, database_url=database)
    async with open_engine(settings) as engine:
        return await measure(engine, folder, requests)
