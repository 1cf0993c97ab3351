"""`zhengwu eval TASK`. No logic: it opens the models of a task and runs it."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from zhengwu.cli.leaks import ground
from zhengwu.cli.output import failures, show
from zhengwu.cli.pooled import open_chat, open_embedder
from zhengwu.eval import tasks
from zhengwu.eval.leaks.run import run as run_leaks
from zhengwu.eval.pii.run import run as run_pii
from zhengwu.eval.questions import generate as questions
from zhengwu.eval.tasks import Engines, Run
from zhengwu.gateway.client import ask as ask_gateway
from zhengwu.gateway.served import CHAT_ALIAS
from zhengwu.models.catalogue import load_catalogue
from zhengwu.serving.events import StackEvent
from zhengwu.serving.running import running_stack
from zhengwu.settings import Settings, read_settings

app = typer.Typer(name="eval", help="评测", no_args_is_help=True)
Docs = Annotated[Path, typer.Option("--docs", help="文件，每行 {docid, text[, title]}")]
Cases = Annotated[Path, typer.Option("--cases", help="问题，每行 {id, question, docid, answer}")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="只评测这么多条")]
Seed = Annotated[int, typer.Option("--seed", help="抽样的随机种子")]
Resume = Annotated[bool, typer.Option("--resume", help="接着上次中断的地方")]
Distractors = Annotated[
    Path | None, typer.Option("--distractors", file_okay=False, exists=True, help="干扰文件目录")
]
Out = Annotated[Path, typer.Option("--out", help="结果目录")]
OUT = Path("var/eval")
JsonOnly = Annotated[bool, typer.Option("--json", help="只输出 JSON")]
Task = Callable[[Engines, tasks.Progress], Awaitable[dict[str, Any]]]


@app.command(help="能回答问题的文件是否排在前面。")
def retrieval(
    docs: Docs,
    cases: Cases,
    distractors: Distractors = None,
    limit: Limit = None,
    seed: Seed = 0,
    resume: Resume = False,
    vectors: Annotated[bool, typer.Option("--vectors/--no-vectors", help="是否用向量")] = True,
    out: Out = OUT,
    as_json: JsonOnly = False,
) -> None:
    """Run the task."""
    run = Run(docs, cases, out, distractors, limit, seed, resume)

    async def task(engines: Engines, progress: tasks.Progress) -> dict[str, Any]:
        return await tasks.retrieval(run, engines, progress)

    _run(task, chat=False, vectors=vectors, as_json=as_json)


@app.command(help="答复是否正确，引用是否成立。")
def answers(
    docs: Docs,
    cases: Cases,
    distractors: Distractors = None,
    limit: Limit = None,
    seed: Seed = 0,
    resume: Resume = False,
    out: Out = OUT,
    as_json: JsonOnly = False,
) -> None:
    """Run the task."""
    run = Run(docs, cases, out, distractors, limit, seed, resume)

    async def task(engines: Engines, progress: tasks.Progress) -> dict[str, Any]:
        return await tasks.answer(run, engines, CHAT_ALIAS, progress)

    _run(task, chat=True, vectors=True, as_json=as_json)


@app.command(help="没有依据时是否拒答：同样的问题，在有和没有答案文件时各问一次。")
def refusal(
    docs: Docs,
    cases: Cases,
    distractors: Distractors = None,
    limit: Limit = None,
    seed: Seed = 0,
    resume: Resume = False,
    out: Out = OUT,
    as_json: JsonOnly = False,
) -> None:
    """Run the task."""
    run = Run(docs, cases, out, distractors, limit, seed, resume)

    async def task(engines: Engines, progress: tasks.Progress) -> dict[str, Any]:
        return await tasks.refuse(run, engines, CHAT_ALIAS, progress)

    _run(task, chat=True, vectors=True, as_json=as_json)


@app.command("questions", help="向运行中的平台逐条提问，列出答复和引用，供人工判定。")
def questions_(
    cases: Annotated[Path, typer.Option("--cases", help="问题，每行 {id, question, …}")],
    kb: Annotated[str | None, typer.Option("--kb", help="知识库")] = None,
    limit: Limit = None,
    out: Out = OUT,
    as_json: JsonOnly = False,
) -> None:
    """Ask every question of a file through the gateway."""
    with failures(as_json), running_stack(read_settings(), _quiet) as url:

        def ask(question: str) -> questions.Events:
            return ask_gateway(url, question, kb)

        with _bar(as_json) as report:
            show(asyncio.run(questions.ask_all(cases, ask, out, limit, report)))


@app.command(help="个人信息检测的召回率和精确率；不给文件时用现场生成的带校验位号码。")
def pii(
    cases: Annotated[
        Path | None, typer.Option("--cases", help="每行 {text, entities: [{start, end, kind}]}")
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="每种号码生成多少个")] = 2000,
    limit: Limit = None,
    seed: Seed = 0,
    resume: Resume = False,
    out: Out = OUT,
    as_json: JsonOnly = False,
) -> None:
    """Run the task. It takes seconds and has no model calls, so `--resume` starts again."""
    with failures(as_json):
        show(run_pii(cases, out, limit, seed, count))


@app.command(help="泄漏测试：生成请求并注入故障，在“外部模型”的日志里数不该出现的内容。")
def leaks(
    cases: Annotated[int, typer.Option("--cases", min=1, help="请求数")] = 10_000,
    seed: Seed = 0,
    out: Out = OUT,
    as_json: JsonOnly = False,
) -> None:
    """Run the task over doubles on the loopback; fails when anything leaked."""

    async def body() -> dict[str, Any]:
        async with ground() as (drives, outside):
            return await run_leaks(cases, seed, out, drives, outside.seen)

    with failures(as_json):
        scores = asyncio.run(body())
        show(scores)
    if scores["leaks"]:
        raise typer.Exit(1)


def _run(task: Task, chat: bool, vectors: bool, as_json: bool) -> None:
    async def body(settings: Settings) -> dict[str, Any]:
        async with _engines(settings, chat, vectors) as engines:
            with _bar(as_json) as report:
                return await task(engines, report)

    with failures(as_json):
        settings = read_settings()
        if not chat and not vectors:
            show(asyncio.run(body(settings)))
            return
        with running_stack(settings, _quiet):
            show(asyncio.run(body(settings)))


@asynccontextmanager
async def _engines(settings: Settings, chat: bool, vectors: bool) -> AsyncGenerator[Engines]:
    async with AsyncExitStack() as stack:
        given: dict[str, Any] = {}
        if vectors:
            given["embedder"] = await stack.enter_async_context(open_embedder(settings, os.environ))
            given |= _named("embed", settings.embed_model)
        if chat:
            given["chat"] = await stack.enter_async_context(open_chat(settings, os.environ))
            given |= _named("chat", settings.chat_model)
        yield Engines(**given)


def _named(kind: str, model: str) -> dict[str, Any]:
    return {f"{kind}_model": model, f"{kind}_digest": load_catalogue().get(model).sha256}


class _bar:
    """A progress bar on stderr, called with how many are done of how many."""

    def __init__(self, quiet: bool) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=quiet,
        )
        self._task = self._bar.add_task("评测", total=None)

    def __enter__(self) -> tasks.Progress:
        self._bar.start()
        return self._advance

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _advance(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)


def _quiet(event: StackEvent) -> None:
    typer.echo(f"[{event.seconds:6.1f}s] {event.message}", err=True)
