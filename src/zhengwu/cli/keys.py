"""`zhengwu key create|list|rotate|revoke`. No logic: it shows what `gateway/tenancy` does."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from zhengwu.cli.governed import run
from zhengwu.cli.output import Json, id_column, show
from zhengwu.gateway.tenancy.bounds import parse_limits
from zhengwu.gateway.tenancy.keys import KeyRecord, NewKey
from zhengwu.gateway.tenancy.tree import ROOT

app = typer.Typer(name="key", help="网关密钥", no_args_is_help=True)
KeyId = Annotated[str, typer.Argument(help="密钥编号，见 zhengwu key list")]


@app.command(help="新建一个密钥。密钥只显示这一次。")
def create(
    name: Annotated[str, typer.Argument(help="用途或使用单位")],
    tenant: Annotated[str, typer.Option(help="所属单位编号，见 zhengwu tenant list")] = ROOT,
    role: Annotated[str, typer.Option(help="developer、tenant_admin、hotline_agent 等")] = (
        "developer"
    ),
    days: Annotated[int | None, typer.Option(min=1, max=3660, help="有效天数，默认长期")] = None,
    ceiling: Annotated[int | None, typer.Option(min=1, max=3, help="数据分级上限")] = None,
    model: Annotated[list[str] | None, typer.Option(help="可用模型，可重复")] = None,
    limit: Annotated[
        list[str] | None, typer.Option(help="限额，如 tokens_per_minute=100000")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key and show it once."""
    expires = datetime.now(UTC) + timedelta(days=days) if days else None
    with run(as_json) as desk:
        bounds = parse_limits(ceiling, model, limit)
        new = NewKey(name, role, tenant, expires, bounds)
        secret, record = desk.do(lambda parts: parts.keys.create(desk.actor, new))
    _once(secret, record, "已新建", as_json)


@app.command("list", help="列出密钥（不含密钥本身）。")
def list_(
    tenant: Annotated[str, typer.Option(help="单位编号，含下级")] = ROOT,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="最多列出多少个")] = 200,
    as_json: Json = False,
) -> None:
    """List keys."""
    with run(as_json) as desk:
        records = desk.do(lambda parts: parts.keys.list(desk.actor, tenant, limit))
    if as_json:
        show([asdict(record) for record in records])
        return
    table = Table(id_column(), "名称", "单位", "角色", "到期时间", "最近使用", "状态")
    for one in records:
        expires = _day(one.expires) if one.expires else "长期"
        used = _day(one.last_used) if one.last_used else "—"
        table.add_row(one.id, one.name, one.tenant, one.role, expires, used, _state(one))
    Console().print(table)


@app.command(help="轮换一个密钥：给出新密钥，旧密钥在并用期内仍可用。")
def rotate(
    key_id: KeyId,
    overlap_hours: Annotated[float, typer.Option(min=0, max=720, help="并用小时数")] = 24,
    as_json: Json = False,
) -> None:
    """Give a key a new secret and show it once."""
    overlap = timedelta(hours=overlap_hours)
    with run(as_json) as desk:
        secret, record = desk.do(lambda parts: parts.keys.rotate(desk.actor, key_id, overlap))
    _once(secret, record, "已轮换", as_json)


@app.command(help="吊销一个密钥，立即生效。")
def revoke(key_id: KeyId, as_json: Json = False) -> None:
    """Revoke a key."""
    with run(as_json) as desk:
        record = desk.do(lambda parts: parts.keys.revoke(desk.actor, key_id))
    if as_json:
        show(asdict(record))
    else:
        typer.echo(f"已吊销密钥“{record.name}”（编号 {record.id}）。")


def _once(secret: str, record: KeyRecord, done: str, as_json: bool) -> None:
    if as_json:
        show({**asdict(record), "key": secret})
        return
    typer.echo(f"{done}密钥“{record.name}”（编号 {record.id}）。请妥善保存，之后无法再次查看：")
    typer.echo(secret)


def _day(value: datetime) -> str:
    return value.astimezone().strftime("%Y-%m-%d %H:%M")


def _state(record: KeyRecord) -> str:
    if record.revoked:
        return "已吊销"
    return "已过期" if record.expires and record.expires <= datetime.now(UTC) else "有效"
