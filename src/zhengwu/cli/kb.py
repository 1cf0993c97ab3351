"""`zhengwu kb ingest | search | show | list`. No logic: it shows what `rag/` does."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from zhengwu.cli.output import Json, failures, show
from zhengwu.datasets.starter import STARTER
from zhengwu.db.home import open_engine
from zhengwu.jobs.queue import JobQueue
from zhengwu.rag.errors import BadQuestion
from zhengwu.rag.fuse import DOCUMENT_WEIGHT
from zhengwu.rag.intake import Intake
from zhengwu.rag.knowledge import Knowledge
from zhengwu.rag.snapshot import Request
from zhengwu.serving.stack import status
from zhengwu.settings import read_settings

app = typer.Typer(name="kb", help="知识库：入库、检索、查看", no_args_is_help=True)
Kb = Annotated[str | None, typer.Option("--kb", help="知识库名称")]


@app.command(help="把文件或目录导入知识库；平台在运行时排队由后台处理，否则直接导入。")
def ingest(
    paths: Annotated[list[Path] | None, typer.Argument(help="文件或目录")] = None,
    kb: Kb = None,
    starter: Annotated[bool, typer.Option("--starter", help="导入起步知识库")] = False,
    as_json: Json = False,
) -> None:
    """Ingest documents."""

    async def run() -> None:
        settings = read_settings()
        wanted = [path.absolute() for path in paths or []]
        if starter:
            wanted.append(STARTER / "guides")
        async with AsyncExitStack() as stack:
            engine = await stack.enter_async_context(open_engine(settings))
            bar = stack.enter_context(_bar(as_json))
            task = bar.add_task("入库", total=None)
            intake = Intake(engine, settings, JobQueue(engine), status(settings).running)
            report = await intake.take(
                kb or settings.kb,
                wanted,
                lambda done, total, last: bar.update(task, completed=done, total=total),
            )
        if as_json:
            show(asdict(report))
            return
        typer.echo(
            f"新增 {len(report.added)}，更新 {len(report.replaced)}，未变 {len(report.unchanged)}，"
            f"失败 {len(report.failed)}，共 {report.chunks} 个片段。全文即刻可查，向量在后台补齐。"
        )
        for path, reason in report.failed.items():
            typer.echo(f"  未入库 {path}：{reason}", err=True)

    with failures(as_json):
        asyncio.run(run())


@app.command(help="检索知识库；--explain 给出每一项得分。")
def search(
    question: str,
    kb: Kb = None,
    region: Annotated[str | None, typer.Option(help="地区")] = None,
    as_of: Annotated[str | None, typer.Option(help="有效日，如 2024-05-01")] = None,
    top: Annotated[int, typer.Option(min=1, max=100)] = 10,
    explain: Annotated[bool, typer.Option("--explain", help="列出得分")] = False,
    as_json: Json = False,
) -> None:
    """Search."""

    async def run() -> None:
        settings = read_settings()
        day = read_day(as_of)
        async with open_engine(settings) as engine:
            knowledge = Knowledge(engine, settings.store_dir)
            hits = await knowledge.search(
                kb or settings.kb, Request(question, day, region, top=top)
            )
        if as_json:
            show([asdict(hit) for hit in hits])
            return
        for number, hit in enumerate(hits, 1):
            typer.echo(f"{number}. {hit.path}（{hit.status}）")
            if explain:
                s = hit.scores
                text = f"片段 {s.chunk_bm25:.2f} + 全文件 {s.document_bm25:.2f}×{DOCUMENT_WEIGHT}"
                rest = f"向量 {s.vector_part:.2f} + 问法 {s.asked_part:.2f}"
                typer.echo(f"   合计 {s.total:.2f} = {text} + {rest} + 地区 {s.region_part:.2f}")
                if hit.asked:
                    told = f"“{hit.asked.text}”（{hit.asked.similarity:.2f}）"
                    typer.echo(f"   最接近的问法：{told}")
            typer.echo(f"   {hit.text[:120]}")

    with failures(as_json):
        asyncio.run(run())


@app.command("show", help="查看一个文件的条款；给出条款编号则打开该条款。")
def show_(doc: str, clause: str = "", kb: Kb = None, as_json: Json = False) -> None:
    """Show a document or one clause."""

    async def run() -> None:
        settings = read_settings()
        async with open_engine(settings) as engine:
            knowledge = Knowledge(engine, settings.store_dir)
            if clause:
                opened = await knowledge.clause(kb or settings.kb, doc, clause)
                show(asdict(opened)) if as_json else typer.echo(f"{opened.path}\n{opened.text}")
                return
            outline = await knowledge.outline(kb or settings.kb, doc)
        if as_json:
            show([asdict(entry) for entry in outline])
            return
        for entry in outline:
            typer.echo(f"{entry.clause_id:16} {entry.label}  {entry.text[:60]}")

    with failures(as_json):
        asyncio.run(run())


@app.command("list", help="列出知识库。")
def list_(as_json: Json = False) -> None:
    """List the knowledge bases."""

    async def run() -> None:
        settings = read_settings()
        async with open_engine(settings) as engine:
            found = await Knowledge(engine, settings.store_dir).kbs()
        if as_json:
            show([asdict(kb) for kb in found])
            return
        table = Table("名称", "文件", "片段", "已有向量")
        for kb in found:
            table.add_row(kb.name, str(kb.documents), str(kb.chunks), str(kb.embedded))
        Console().print(table)

    with failures(as_json):
        asyncio.run(run())


def read_day(text: str | None) -> date:
    """A day as it is given on the command line; today where none is.

    Raises:
        BadQuestion: it is no date.
    """
    try:
        return date.fromisoformat(text) if text else date.today()
    except ValueError as error:
        raise BadQuestion(f"日期“{text}”无效，应形如 2024-05-01") from error


def _bar(quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=quiet,
    )
