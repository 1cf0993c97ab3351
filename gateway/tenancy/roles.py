"""Roles as reviewed data, and the one check of what an actor may do. Knows no table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from zhengwu.errors import SettingsError
from zhengwu.gateway.tenancy.errors import BadValue, Forbidden

FILE = Path(__file__).parent / "data" / "roles.yaml"
HOST = "host"
THREE = ("system_admin", "security_admin", "audit_admin")
"""Nobody holds two of these: a user has one role."""
Reach = Literal["all", "subtree", "self"]


@dataclass(frozen=True)
class Role:
    """What the holder may do, how far it reaches, and which roles it may give."""

    id: str
    name: str
    reach: Reach
    second_factor: bool
    by_key: bool
    may: frozenset[str]
    grants: frozenset[str]


@dataclass(frozen=True)
class Roles:
    """Every role, every action by its name, and the actions that no role may join."""

    roles: Mapping[str, Role]
    actions: Mapping[str, str]
    apart: tuple[frozenset[str], ...]

    def get(self, role: str) -> Role:
        """The role of this id.

        Raises:
            BadValue: there is none; the message names the choices.
        """
        if role not in self.roles:
            choices = "、".join(name for name in self.roles if name != HOST)
            raise BadValue(f"没有角色“{role[:40]}”，可选：{choices}。")
        return self.roles[role]


@dataclass(frozen=True)
class Actor:
    """Who acts: a person, a key or the host. `complete` is false until a second factor is shown.

    `id` is `user:…`, `key:…` or `host:…`, as it stands in the records.
    """

    id: str
    role: str
    tenant_path: tuple[str, ...] = ()
    complete: bool = True


def host_actor(name: str) -> Actor:
    """Whoever runs a command on the machine that holds the database."""
    return Actor(f"host:{name}", HOST)


def check(actor: Actor, action: str, path: Sequence[str] | None = None) -> None:
    """Refuse what `actor` may not do. Every administrative route and command asks here.

    Args:
        actor: who acts.
        action: what, by its name in `roles.yaml`.
        path: ids from the root down to the unit it is done to; None where no unit is concerned.

    Raises:
        Forbidden: names the action and the role; a missing second factor says so.
    """
    data = load_roles()
    role = data.get(actor.role)
    if action not in role.may:
        raise Forbidden(f"{role.name}无权{data.actions[action]}，请由有此权限的管理员办理。")
    if not actor.complete:
        raise Forbidden("请先完成首次登录设置（修改口令、启用动态码），再进行管理操作。")
    if path is None or role.reach == "all":
        return
    own = actor.tenant_path
    if role.reach != "subtree" or not own or tuple(path[: len(own)]) != own:
        raise Forbidden("该单位不在您的管理范围内，请由上级单位管理员或系统管理员办理。")


def check_grant(actor: Actor, role: str) -> Role:
    """Refuse a role that `actor` may not give.

    Raises:
        BadValue: there is no such role.
        Forbidden: it is not the actor's to give.
    """
    data = load_roles()
    wanted = data.get(role)
    if role not in data.get(actor.role).grants:
        raise Forbidden(
            f"{data.get(actor.role).name}不能授予“{wanted.name}”角色。"
            "系统、安全、审计管理员由安全管理员授予，三者不得兼任。"
        )
    return wanted


@cache
def load_roles() -> Roles:
    """The reviewed file.

    Raises:
        SettingsError: it contradicts itself.
    """
    raw: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    roles = {name: _role(name, given) for name, given in raw["roles"].items()}
    found = Roles(roles, raw["actions"], tuple(frozenset(pair) for pair in raw["apart"]))
    for role in roles.values():
        unknown = (role.may - found.actions.keys()) | (role.grants - roles.keys())
        joined = [pair for pair in found.apart if role.id != HOST and pair <= role.may]
        if unknown or joined:
            raise SettingsError(f"{FILE.name}：角色 {role.id} 有误：{sorted(unknown)} {joined}")
    return found


def _role(name: str, given: Mapping[str, Any]) -> Role:
    return Role(
        id=name,
        name=given["name"],
        reach=given["reach"],
        second_factor=given["second_factor"],
        by_key=given["by_key"],
        may=frozenset(given["may"]),
        grants=frozenset(given["grants"]),
    )
