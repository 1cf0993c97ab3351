"""`zhengwu assistant …`: the capability catalogue, as the host's operator. Holds no logic."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from zhengwu.cli.output import Json, failures, show
from zhengwu.db.home import open_engine
from zhengwu.errors import LimitError, SettingsError
from zhengwu.gateway.assistants.definition import asked_name
from zhengwu.gateway.assistants.office import QUOTA, AssistantOffice, shown
from zhengwu.gateway.assistants.store import Catalogue, Share, State
from zhengwu.gateway.assistants.tools.call import Toolbox
from zhengwu.gateway.assistants.tools.reach import Reach
from zhengwu.gateway.served import served_models
from zhengwu.gateway.wire.through import KeyOwners
from zhengwu.models.catalogue import load_catalogue
from zhengwu.settings import Settings, read_settings

app = typer.Typer(name="assistant", help="能力共享：登记、发布和共享助手", no_args_is_help=True)
Versioned = Annotated[str, typer.Argument(help="名称@版本，如 bz@2")]
MAX_BYTES = 2 << 20


@app.command(help="登记助手的一个新版本（草稿）。")
def register(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="登记内容（JSON）")],
    key: Annotated[str, typer.Option(help="登记者的密钥编号，助手不能超过它的权限")],
    as_json: Json = False,
) -> None:
    """Register a version."""

    async def work(settings: Settings, catalogue: Catalogue, owners: KeyOwners) -> object:
        toolbox = Toolbox(Reach(settings.tool_hosts, os.environ))
        served = served_models(settings, load_catalogue(), os.environ)
        office = AssistantOffice(catalogue, toolbox, served)
        return shown(await office.register(await owners.by_id(key), _read(file)))

    _run(work, as_json)


@app.command("list", help="列出全部助手的各个版本。")
def list_(as_json: Json = False) -> None:
    """List every version."""

    async def work(_: Settings, catalogue: Catalogue, __: KeyOwners) -> object:
        return [shown(version) for version in await catalogue.versions(None)]

    _run(work, as_json)


@app.command(help="把助手共享给一个单位（含下级），可限额。")
def share(
    name: Annotated[str, typer.Argument(help="助手名称")],
    tenant: Annotated[str, typer.Argument(help="单位编号")],
    quota: Annotated[list[str] | None, typer.Option(help="额度，如 requests_per_minute=60")] = None,
    as_json: Json = False,
) -> None:
    """Share an assistant."""

    async def work(_: Settings, catalogue: Catalogue, __: KeyOwners) -> object:
        pairs = [each.partition("=") for each in quota or ()]
        given = {kind: amount for kind, _, amount in pairs}
        try:
            read = QUOTA.validate_python(given)
        except ValueError as error:
            told = "额度有误，请写成 种类=数量，如 requests_per_minute=60"
            raise SettingsError(f"{told}：{error}") from error
        await catalogue.share(None, name, Share(tenant, read))
        return [vars(each) for each in await catalogue.shares(name)]

    _run(work, as_json)


@app.command(help="发布一个草稿版本。")
def publish(name: Versioned, as_json: Json = False) -> None:
    """Publish a version."""
    _move(name, "published", as_json)


@app.command(help="撤回一个已发布的版本。")
def withdraw(name: Versioned, as_json: Json = False) -> None:
    """Withdraw a version."""
    _move(name, "withdrawn", as_json)


def _move(name: str, state: State, as_json: bool) -> None:
    async def work(_: Settings, catalogue: Catalogue, __: KeyOwners) -> object:
        plain, version = asked_name(name)
        if version is None:
            raise SettingsError(f"请写明版本，如 {name}@1")
        return shown(await catalogue.move(None, plain, version, state))

    _run(work, as_json)


def _run(
    work: Callable[[Settings, Catalogue, KeyOwners], Awaitable[object]], as_json: bool
) -> None:
    async def inner() -> object:
        settings = read_settings()
        async with open_engine(settings) as engine:
            return await work(settings, Catalogue(engine), KeyOwners(engine))

    with failures(as_json):
        show(asyncio.run(inner()))


def _read(file: Path) -> dict[str, object]:
    if file.stat().st_size > MAX_BYTES:
        raise LimitError(f"登记文件超过 {MAX_BYTES >> 20} MB，请精简接口文档")
    try:
        given: object = json.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SettingsError(f"登记文件 {file.name} 不是有效的 JSON：{error}") from error
    if not isinstance(given, dict):
        raise SettingsError(f"登记文件 {file.name} 应为一个 JSON 对象")
    return given
