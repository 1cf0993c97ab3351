"""`zhengwu audit verify|export|prune|key`. No logic: it shows what `gateway/audit/` does."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.cli.output import Json, failures, show
from zhengwu.db.home import open_engine
from zhengwu.db.tables import now
from zhengwu.gateway.audit.export import export as export_file
from zhengwu.gateway.audit.export import verify_file
from zhengwu.gateway.audit.keys import pem
from zhengwu.gateway.audit.opened import new_key, open_chain, signing_key, trusted_keys
from zhengwu.gateway.audit.retention import prune as prune_chain
from zhengwu.gateway.audit.span import days_of
from zhengwu.gateway.audit.verify import Verdict
from zhengwu.gateway.audit.verify import verify as verify_chain
from zhengwu.settings import Settings, read_settings

app = typer.Typer(name="audit", help="审计链：校验、导出、清理", no_args_is_help=True)
From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="起始日期")]
To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="结束日期（含）")]
PublicKey = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="公钥（PEM）")]
T = TypeVar("T")


@app.command(help="校验审计链，指出第一处改动、删除、插入或错序。有问题时退出码为 1。")
def verify(
    first: From = None,
    last: To = None,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="改为校验导出文件")
    ] = None,
    heads: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="另存的签名文件")
    ] = None,
    public_key: PublicKey = None,
    as_json: Json = False,
) -> None:
    """Verify the chain, or an exported file."""
    with failures(as_json):
        settings = read_settings()
        keys = trusted_keys(settings, public_key)
        days = days_of(first, last)
        verdict = (
            verify_file(file, keys)
            if file
            else _run(
                settings, lambda e: verify_chain(e, keys, heads or settings.audit_heads, days)
            )
        )
    _told(verdict, as_json)
    if not verdict.ok:
        raise typer.Exit(1)


@app.command(help="导出一段审计链（JSON Lines，带签名，可离线校验）。")
def export(
    out: Annotated[Path, typer.Option(dir_okay=False, help="输出文件")],
    first: From = None,
    last: To = None,
    as_json: Json = False,
) -> None:
    """Export a stretch of the chain."""
    with failures(as_json):
        settings, days = read_settings(), days_of(first, last)
        told = _run(settings, lambda e: export_file(e, signing_key(settings), days, out))
    if as_json:
        show(asdict(told))
    else:
        typer.echo(f"已导出第 {told.first} 至 {told.last} 条，共 {told.records} 条：{out}")


@app.command(help="清理已过保留期的审计记录（默认按设置，最短 180 天）。链仍可校验。")
def prune(
    days: Annotated[int | None, typer.Option(help="保留天数")] = None, as_json: Json = False
) -> None:
    """Prune what is past its time."""
    with failures(as_json):
        settings = read_settings()
        kept = settings.audit_retention_days if days is None else days
        told = _run(settings, lambda e: prune_chain(e, open_chain(settings, e), kept, now(), "cli"))
    if as_json:
        show(asdict(told))
    else:
        typer.echo(f"已清理 {told.records} 条，截至第 {told.last} 条。")


@app.command(help="输出签名公钥（PEM）。--new 换用新密钥，旧公钥仍受信任。")
def key(new: Annotated[bool, typer.Option("--new", help="新建签名密钥")] = False) -> None:
    """Print the public key."""
    with failures(False):
        settings = read_settings()
        made = new_key(settings) if new else signing_key(settings)
    typer.echo(pem(made.public), nl=False)


def _told(verdict: Verdict, as_json: bool) -> None:
    if as_json:
        show({"ok": verdict.ok, **asdict(verdict)})
    elif verdict.fault:
        typer.echo(f"审计链有问题：{verdict.fault.message}（{verdict.fault.kind}）", err=True)
    else:
        typer.echo(
            f"审计链完整：第 {verdict.first} 至 {verdict.last} 条，"
            f"共 {verdict.records} 条，日签名 {verdict.heads} 个。"
        )


def _run(settings: Settings, work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    async def inner() -> T:
        async with open_engine(settings) as engine:
            return await work(engine)

    return asyncio.run(inner())
