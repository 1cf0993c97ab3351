"""`zhengwu tenant create|list|show|update|suspend|resume`. No logic: it shows `gateway/tenancy`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from zhengwu.cli.governed import run
from zhengwu.cli.output import Json, id_column, show
from zhengwu.gateway.tenancy.bounds import parse_limits
from zhengwu.gateway.tenancy.records import TenantRecord
from zhengwu.gateway.tenancy.tenants import NewTenant
from zhengwu.gateway.tenancy.tree import ACTIVE, ROOT, SUSPENDED

app = typer.Typer(name="tenant", help="单位（省、市、县、部门）", no_args_is_help=True)
TenantId = Annotated[str, typer.Argument(help="单位编号，见 zhengwu tenant list")]
Level = Annotated[str, typer.Option(help="province、city、county 或 department")]


@app.command(help="新建一个单位。")
def create(
    name: Annotated[str, typer.Argument(help="单位名称")],
    parent: Annotated[str, typer.Option(help="上级单位编号")] = ROOT,
    level: Level = "department",
    division: Annotated[str | None, typer.Option(help="行政区划代码")] = None,
    cost_centre: Annotated[str, typer.Option(help="成本中心")] = "",
    as_json: Json = False,
) -> None:
    """Make a tenant."""
    new = NewTenant(name, parent, level, division, cost_centre)
    with run(as_json) as desk:
        _tell(desk.do(lambda office: office.tenants.create(desk.actor, new)), as_json)


@app.command("list", help="列出单位。")
def list_(
    under: Annotated[str, typer.Option(help="从哪个单位开始")] = ROOT,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="最多列出多少个")] = 200,
    after: Annotated[str | None, typer.Option(help="从这个编号之后接着列出")] = None,
    as_json: Json = False,
) -> None:
    """List tenants."""
    with run(as_json) as desk:
        found = desk.do(lambda office: office.tenants.list(desk.actor, under, limit, after))
    if as_json:
        show([asdict(one) for one in found])
        return
    table = Table(id_column(), "名称", "层级", "上级", "状态", "分级上限")
    for one in found:
        ceiling = str(one.effective.grade_ceiling)
        state = "正常" if one.effective.state == ACTIVE else "停用"
        table.add_row(one.id, one.name, one.level, one.parent or "—", state, ceiling)
    Console().print(table)


@app.command("show", help="查看一个单位和对它生效的范围。")
def show_(tenant_id: TenantId, as_json: Json = False) -> None:
    """Show a tenant."""
    with run(as_json) as desk:
        _tell(desk.do(lambda office: office.tenants.get(desk.actor, tenant_id)), as_json)


@app.command(help="修改一个单位；只改写出的项目。")
def update(
    tenant_id: TenantId,
    name: Annotated[str | None, typer.Option(help="名称")] = None,
    parent: Annotated[str | None, typer.Option(help="上级单位编号")] = None,
    level: Annotated[str | None, typer.Option(help="层级")] = None,
    division: Annotated[str | None, typer.Option(help="行政区划代码")] = None,
    cost_centre: Annotated[str | None, typer.Option(help="成本中心")] = None,
    ceiling: Annotated[int | None, typer.Option(min=1, max=3, help="数据分级上限")] = None,
    model: Annotated[list[str] | None, typer.Option(help="可用模型，可重复")] = None,
    limit: Annotated[list[str] | None, typer.Option(help="限额，如 concurrency=20")] = None,
    priority: Annotated[int | None, typer.Option(min=0, max=2, help="0 面向市民最先")] = None,
    undeclared: Annotated[int | None, typer.Option(min=1, max=4, help="未声明的分级")] = None,
    media: Annotated[int | None, typer.Option(min=1, max=4, help="无法检测内容的分级")] = None,
    pseudonymise: Annotated[bool | None, typer.Option(help="允许假名化后外发")] = None,
    keep_text: Annotated[bool | None, typer.Option(help="审计留存原文")] = None,
    unset: Annotated[list[str] | None, typer.Option(help="取消一项设置，如 models")] = None,
    as_json: Json = False,
) -> None:
    """Change a tenant."""
    given: dict[str, Any] = {
        "name": name,
        "parent": parent,
        "level": level,
        "division": division,
        "cost_centre": cost_centre,
        "grade_ceiling": ceiling,
        "models": model or None,
        "priority": priority,
        "undeclared_grade": undeclared,
        "media_grade": media,
        "pseudonymise": pseudonymise,
        "keep_text": keep_text,
    }
    changes = {field: value for field, value in given.items() if value is not None}
    with run(as_json) as desk:
        if limit:
            changes["limits"] = parse_limits(None, None, limit).limits
        changes |= dict.fromkeys(unset or ())
        _tell(
            desk.do(lambda office: office.tenants.update(desk.actor, tenant_id, changes)), as_json
        )


@app.command(help="停用一个单位：它和下级的密钥、用户立即不能使用。")
def suspend(tenant_id: TenantId, as_json: Json = False) -> None:
    """Suspend a tenant."""
    _set_state(tenant_id, SUSPENDED, as_json)


@app.command(help="恢复一个停用的单位。")
def resume(tenant_id: TenantId, as_json: Json = False) -> None:
    """Let a suspended tenant in again."""
    _set_state(tenant_id, ACTIVE, as_json)


def _set_state(tenant_id: str, state: str, as_json: bool) -> None:
    with run(as_json) as desk:
        changes = {"state": state}
        _tell(
            desk.do(lambda office: office.tenants.update(desk.actor, tenant_id, changes)), as_json
        )


def _tell(record: TenantRecord, as_json: bool) -> None:
    if as_json:
        show(asdict(record))
        return
    holds = record.effective
    typer.echo(f"{record.name}（编号 {record.id}，{record.level}，{holds.state}）")
    typer.echo(f"  路径：{' › '.join(record.path)}")
    typer.echo(f"  数据分级上限：{holds.grade_ceiling}  优先级：{holds.priority}")
    typer.echo(f"  可用模型：{'全部' if holds.models is None else '、'.join(holds.models)}")
    for one in holds.limits:
        typer.echo(f"  限额：{one.scope} {one.kind} {one.amount}")
