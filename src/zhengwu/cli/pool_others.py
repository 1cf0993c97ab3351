"""`zhengwu pool connect | disconnect | others`: other pools. No logic."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from zhengwu.cli.output import Json, failures, show
from zhengwu.db.home import open_engine
from zhengwu.models.pool_register import PoolRegister, check
from zhengwu.models.pools import Standing, read_pools
from zhengwu.outbound import Outbound
from zhengwu.settings import read_settings

LOCALITIES = ("本池", "同城或同省", "异地")
CHECK_GRADE = 1


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(help="登记外部池（YAML，列表写在 pools 下），已有的更新。")(connect)
    app.command(help="删去一个外部池。")(disconnect)
    app.command(help="外部池的位置、健康、配额和价格。")(others)


def connect(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="YAML 文件")],
    as_json: Json = False,
) -> None:
    """Register pools."""

    async def put() -> tuple[Standing, ...]:
        cards = read_pools(file)
        async with open_engine(read_settings()) as engine:
            for card in cards:
                await PoolRegister(engine).put(card)
            return await PoolRegister(engine).standings()

    with failures(as_json):
        _print(asyncio.run(put()), as_json)


def disconnect(
    name: Annotated[str, typer.Argument(help="外部池的名字")], as_json: Json = False
) -> None:
    """Forget a pool."""

    async def remove() -> tuple[Standing, ...]:
        async with open_engine(read_settings()) as engine:
            await PoolRegister(engine).remove(name)
            return await PoolRegister(engine).standings()

    with failures(as_json):
        _print(asyncio.run(remove()), as_json)


def others(
    ask: Annotated[bool, typer.Option("--check", help="现在就问一遍各池是否正常")] = False,
    as_json: Json = False,
) -> None:
    """Show pools."""

    async def find() -> tuple[Standing, ...]:
        async with open_engine(read_settings()) as engine:
            pools = PoolRegister(engine)
            if ask:
                async with Outbound("pool", CHECK_GRADE, 5.0) as outbound:
                    await check(pools, outbound, os.environ)
            return await pools.standings()

    with failures(as_json):
        _print(asyncio.run(find()), as_json)


def _print(standings: tuple[Standing, ...], as_json: bool) -> None:
    if as_json:
        rows = [
            {
                **one.card.model_dump(mode="json"),
                "healthy": one.healthy,
                "spent_today": one.spent_today,
                "quota_left": one.quota_left,
                "usable": one.usable,
                "message": one.message,
            }
            for one in standings
        ]
        show({"pools": rows})
        return
    table = Table("名称", "地区", "位置", "健康", "今日余额（词元）", "价格", "最高分级", "说明")
    for one in standings:
        price = one.card.price
        table.add_row(
            one.card.name,
            one.card.region,
            LOCALITIES[one.card.locality],
            {None: "未查", True: "正常", False: "异常"}[one.healthy],
            "不限" if one.quota_left is None else f"{one.quota_left:,}",
            f"{price.input:g} / {price.output:g}" if price else "—",
            str(one.card.grade_ceiling),
            one.message,
        )
    Console().print(table)
