"""`zhengwu user create|list|disable|enable|reset-totp|reset|grant`. No logic: see `gateway`."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from zhengwu.cli.governed import run
from zhengwu.cli.output import Json, id_column, show
from zhengwu.gateway.tenancy.tree import ROOT
from zhengwu.gateway.tenancy.users import ACTIVE, DISABLED, NewUser, UserRecord

app = typer.Typer(name="user", help="用户和角色", no_args_is_help=True)
Who = Annotated[str, typer.Argument(help="用户编号或用户名")]
Role = Annotated[str, typer.Option(help="如 security_admin、tenant_admin、civil_servant")]


@app.command(help="新建一个用户。首次登录口令只显示这一次。")
def create(
    name: Annotated[str, typer.Argument(help="用户名")],
    role: Role,
    tenant: Annotated[str, typer.Option(help="所属单位编号")] = ROOT,
    display: Annotated[str, typer.Option(help="姓名或岗位")] = "",
    as_json: Json = False,
) -> None:
    """Make a user and show the first password once."""
    new = NewUser(name, role, tenant, display)
    with run(as_json) as desk:
        password, record = desk.do(lambda office: office.users.create(desk.actor, new))
    _once(password, record, "已新建", as_json)


@app.command("list", help="列出用户。")
def list_(
    tenant: Annotated[str, typer.Option(help="单位编号，含下级")] = ROOT,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="最多列出多少个")] = 200,
    as_json: Json = False,
) -> None:
    """List users."""
    with run(as_json) as desk:
        found = desk.do(lambda office: office.users.list(desk.actor, tenant, limit))
    if as_json:
        show([asdict(one) for one in found])
        return
    table = Table(id_column(), "用户名", "姓名或岗位", "单位", "角色", "状态", "动态码")
    for one in found:
        factor = "已启用" if one.second_factor else "未启用"
        state = "正常" if one.state == ACTIVE else "停用"
        table.add_row(one.id, one.name, one.display, one.tenant, one.role, state, factor)
    Console().print(table)


@app.command(help="停用一个用户，立即退出登录。")
def disable(who: Who, as_json: Json = False) -> None:
    """Disable a user."""
    with run(as_json) as desk:
        record = desk.do(lambda office: office.users.set_state(desk.actor, who, DISABLED))
    _tell(record, "已停用", as_json)


@app.command(help="恢复一个停用的用户。")
def enable(who: Who, as_json: Json = False) -> None:
    """Let a user in again."""
    with run(as_json) as desk:
        record = desk.do(lambda office: office.users.set_state(desk.actor, who, ACTIVE))
    _tell(record, "已恢复", as_json)


@app.command("reset-totp", help="清除一个用户的动态码，下次登录时重新启用。")
def reset_totp(who: Who, as_json: Json = False) -> None:
    """Forget a second factor."""
    with run(as_json) as desk:
        record = desk.do(lambda office: office.users.reset_totp(desk.actor, who))
    _tell(record, "已清除动态码：", as_json)


@app.command(help="重置一个用户的口令和动态码。新口令只显示这一次。")
def reset(who: Who, as_json: Json = False) -> None:
    """Give a new first password."""
    with run(as_json) as desk:
        password, record = desk.do(lambda office: office.users.reset(desk.actor, who))
    _once(password, record, "已重置", as_json)


@app.command(help="授予一个用户另一角色，代替原来的角色。")
def grant(who: Who, role: Role, as_json: Json = False) -> None:
    """Give a user another role."""
    with run(as_json) as desk:
        record = desk.do(lambda office: office.users.set_role(desk.actor, who, role))
    _tell(record, "已授予角色：", as_json)


def _once(password: str, record: UserRecord, done: str, as_json: bool) -> None:
    if as_json:
        show({**asdict(record), "password": password})
        return
    typer.echo(f"{done}用户“{record.name}”（编号 {record.id}）。首次登录口令，请当面转交：")
    typer.echo(password)


def _tell(record: UserRecord, done: str, as_json: bool) -> None:
    if as_json:
        show(asdict(record))
    else:
        typer.echo(f"{done}用户“{record.name}”（编号 {record.id}，角色 {record.role}）。")
