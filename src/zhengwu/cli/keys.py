"""`zhengwu key create|list|revoke`. No logic: it shows what `gateway/keys.py` does."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from zhengwu.db.home import open_engine
from zhengwu.errors import ZhengwuError
from zhengwu.gateway.keys import ApiKeys, KeyRecord
from zhengwu.settings import read_settings

app = typer.Typer(name="key", help="网关密钥", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]
T = TypeVar("T")


class RoleChoice(StrEnum):
    """What a key is for."""

    ADMIN = "admin"
    APP = "app"


@app.command(help="新建一个密钥。密钥只显示这一次。")
def create(
    name: Annotated[str, typer.Argument(help="用途或使用单位")],
    role: Annotated[RoleChoice, typer.Option(help="admin 管理员，app 应用")] = RoleChoice.APP,
    days: Annotated[int | None, typer.Option(min=1, max=3660, help="有效天数，默认长期")] = None,
    as_json: Json = False,
) -> None:
    """Make a key and show it once."""
    expires = datetime.now(UTC) + timedelta(days=days) if days else None
    secret, record = _run(lambda keys: keys.create(name, role.value, expires), as_json)
    if as_json:
        _print({**asdict(record), "key": secret})
        return
    typer.echo(f"已新建密钥“{name}”（编号 {record.id}）。请妥善保存，之后无法再次查看：")
    typer.echo(secret)


@app.command("list", help="列出全部密钥（不含密钥本身）。")
def list_(as_json: Json = False) -> None:
    """List every key."""
    records = _run(lambda keys: keys.list(), as_json)
    if as_json:
        _print([asdict(record) for record in records])
        return
    table = Table("编号", "名称", "角色", "创建时间", "到期时间", "状态")
    for record in records:
        expires = _day(record.expires) if record.expires else "长期"
        table.add_row(
            record.id, record.name, record.role, _day(record.created), expires, _state(record)
        )
    Console().print(table)


@app.command(help="吊销一个密钥，立即生效。")
def revoke(
    key_id: Annotated[str, typer.Argument(help="密钥编号，见 zhengwu key list")],
    as_json: Json = False,
) -> None:
    """Revoke a key."""
    record = _run(lambda keys: keys.revoke(key_id), as_json)
    if as_json:
        _print(asdict(record))
    else:
        typer.echo(f"已吊销密钥“{record.name}”（编号 {record.id}）。")


def _run(work: Callable[[ApiKeys], Awaitable[T]], as_json: bool) -> T:
    async def inner() -> T:
        async with open_engine(read_settings()) as engine:
            return await work(ApiKeys(engine))

    try:
        return asyncio.run(inner())
    except ZhengwuError as error:
        if as_json:
            _print({"error": {"code": error.code, "message": str(error)}})
        else:
            typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def _print(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, default=_iso))


def _iso(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _day(value: datetime) -> str:
    return value.astimezone().strftime("%Y-%m-%d %H:%M")


def _state(record: KeyRecord) -> str:
    if record.revoked:
        return "已吊销"
    return "已过期" if record.expires and record.expires <= datetime.now(UTC) else "有效"
