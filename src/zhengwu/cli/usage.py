"""`zhengwu usage`. No logic: it shows what `gateway/metering/usage.py` adds up."""

import asyncio
from dataclasses import astuple
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from zhengwu.cli.output import Json, failures, show
from zhengwu.db.home import open_engine
from zhengwu.gateway.audit.span import Days, days_of
from zhengwu.gateway.metering.usage import GROUPS, Group, Used, as_csv, as_dicts, usage
from zhengwu.settings import read_settings

From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="起始日期")]
To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="结束日期（含）")]
HEADINGS = ("日期", "单位", "密钥", "模型", "请求", "未完成", "输入词元", "输出词元")
LAST = ("费用（元）", "电量（Wh，估算）", "碳排放（g，估算）")


class GroupChoice(StrEnum):
    """What a report keeps apart."""

    DAY = "day"
    TENANT = "tenant"
    KEY = "key"
    MODEL = "model"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("usage", help="用量报表：按日、单位、密钥、模型汇总。")
    def usage_(  # pyright: ignore[reportUnusedFunction]
        first: From = None,
        last: To = None,
        by: Annotated[list[GroupChoice] | None, typer.Option(help="分组，可多次给出")] = None,
        tenant: Annotated[str | None, typer.Option(help="只看该单位及其下级")] = None,
        key: Annotated[str | None, typer.Option(help="只看该密钥")] = None,
        model: Annotated[str | None, typer.Option(help="只看该模型")] = None,
        csv: Annotated[Path | None, typer.Option(dir_okay=False, help="写成 CSV 文件")] = None,
        as_json: Json = False,
    ) -> None:
        with failures(as_json):
            days = days_of(first, last)
            groups: tuple[Group, ...] = tuple(g.value for g in by) if by else GROUPS
            rows = asyncio.run(_rows(days, groups, tenant, key, model))
        if csv:
            csv.write_text("\ufeff" + as_csv(rows), "utf-8")
            typer.echo(f"已写入 {len(rows)} 行：{csv}")
        elif as_json:
            show(as_dicts(rows))
        else:
            _table(rows)


async def _rows(
    days: Days, by: tuple[Group, ...], tenant: str | None, key: str | None, model: str | None
) -> list[Used]:
    async with open_engine(read_settings()) as engine:
        return await usage(engine, days, by, tenant, key, model)


def _table(rows: list[Used]) -> None:
    table = Table(*HEADINGS, *LAST)
    for row in rows:
        *names, cost, energy, emitted = astuple(row)
        told = [str(value) for value in names]
        table.add_row(*told, f"{cost / 1e6:.4f}", f"{energy:.3f}", f"{emitted:.3f}")
    Console().print(table)
