"""The tree of tenants: made, changed, moved and suspended, each change checked against above.

Who may change what is asked of `roles.py`, what fits of `bounds.py`. Knows nothing of HTTP.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from zhengwu.db.tables import Tenant, now
from zhengwu.gateway.tenancy.actions import AdminWrites
from zhengwu.gateway.tenancy.bounds import Bounds, check_fits, check_values
from zhengwu.gateway.tenancy.changes import TENANCY
from zhengwu.gateway.tenancy.errors import BadTree, BadValue, Forbidden, NameTaken
from zhengwu.gateway.tenancy.names import unit_name
from zhengwu.gateway.tenancy.place import check_below, check_place, new_place
from zhengwu.gateway.tenancy.records import TenantRecord, narrow_of, record_of
from zhengwu.gateway.tenancy.roles import Actor, check
from zhengwu.gateway.tenancy.tree import (
    ACTIVE,
    LEVELS,
    ROOT,
    SUSPENDED,
    bounds_of,
    climb,
    ids,
    path_to,
    under,
)

DIVISION = re.compile(r"\d{6}|\d{9}|\d{12}")
MAX_COST_CENTRE = 64
MAX_PAGE = 200
BOUNDS = frozenset(Bounds.__dataclass_fields__)
ACTION_OF: Mapping[str, str] = {
    "name": "tenant.update",
    "level": "tenant.update",
    "division": "tenant.update",
    "cost_centre": "tenant.update",
    "parent": "tenant.update",
    "state": "tenant.suspend",
    "limits": "tenant.limit",
    "priority": "tenant.limit",
    "grade_ceiling": "tenant.bound",
    "models": "tenant.bound",
    "undeclared_grade": "tenant.bound",
    "media_grade": "tenant.bound",
    "pseudonymise": "tenant.bound",
    "keep_text": "tenant.bound",
}
"""Every field that can be changed, and what one must be allowed to do for it."""


@dataclass(frozen=True)
class NewTenant:
    """What a tenant is made from; its bounds are set afterwards, by who may."""

    name: str
    parent: str = ROOT
    level: str = "department"
    division: str | None = None
    cost_centre: str = ""


class Tenants:
    """The tenants of one database."""

    def __init__(self, writes: AdminWrites) -> None:
        self._writes = writes

    async def create(self, actor: Actor, new: NewTenant) -> TenantRecord:
        """Make a tenant under another.

        Raises:
            TenancyError: parent, name or level do not fit, or it is forbidden.
        """
        async with self._writes.change(TENANCY) as session:
            above = await path_to(session, new.parent)
            check(actor, "tenant.create", ids(above))
            row = Tenant(
                id=uuid4().hex[:12],
                parent=new.parent,
                state=ACTIVE,
                limits={},
                pseudonymise=False,
                keep_text=False,
                created=now(),
            )
            _describe(row, new.name, new.level, new.division, new.cost_centre)
            check_place(row, above)
            await _check_name(session, row)
            session.add(row)
            record = record_of([*above, row])
            target = f"tenant:{row.id}"
            await self._writes.record(session, actor, "tenant.create", target, None, record)
        return record

    async def get(self, actor: Actor, tenant_id: str) -> TenantRecord:
        """One tenant.

        Raises:
            UnknownTenant: there is none of that id.
        """
        async with self._writes.read() as session:
            path = await path_to(session, tenant_id)
            check(actor, "tenant.read", ids(path))
            return record_of(path)

    async def list(
        self, actor: Actor, tenant: str = ROOT, limit: int = MAX_PAGE, after: str | None = None
    ) -> Sequence[TenantRecord]:
        """`tenant` and everything under it, by id; `after` is an id to go on from."""
        async with self._writes.read() as session:
            above = await path_to(session, tenant)
            check(actor, "tenant.read", ids(above))
            query = select(Tenant).where(Tenant.id.in_(under(tenant))).order_by(Tenant.id)
            if after is not None:
                query = query.where(Tenant.id > after)
            rows = (await session.scalars(query.limit(limit))).all()
            return [record_of(await climb(session, row)) for row in rows]

    async def update(
        self, actor: Actor, tenant_id: str, changes: Mapping[str, Any]
    ) -> TenantRecord:
        """Change fields of a tenant; a field that is not named stays, None unsets it.

        Raises:
            TenancyError: a value does not fit, or a field is not this actor's to change.
        """
        unknown = changes.keys() - ACTION_OF.keys()
        if unknown:
            raise BadValue(f"不能修改的字段：{'、'.join(sorted(unknown))[:80]}。")
        async with self._writes.change(TENANCY) as session:
            path = await path_to(session, tenant_id)
            actions = sorted({ACTION_OF[name] for name in changes})
            for action in actions or ["tenant.read"]:
                check(actor, action, ids(path))
            _not_ones_own(actor, path, actions)
            before = record_of(path)
            after = await self._change(session, actor, path, changes)
            for action in actions:
                target = f"tenant:{tenant_id}"
                await self._writes.record(session, actor, action, target, before, after)
        return after

    async def _change(
        self,
        session: AsyncSession,
        actor: Actor,
        path: Sequence[Tenant],
        changes: Mapping[str, Any],
    ) -> TenantRecord:
        row, above = path[-1], path[:-1]
        if "parent" in changes and changes["parent"] != row.parent:
            above = await new_place(session, actor, row, changes["parent"], narrow_of(path))
        fields = {name: getattr(row, name) for name in ("name", "level", "division", "cost_centre")}
        _describe(row, **{name: changes.get(name, value) for name, value in fields.items()})
        _set_bounds(row, changes)
        if "state" in changes:
            _set_state(row, changes["state"])
        check_values(bounds_of(row))
        # A bound that stays while the one above was lowered is narrowed when read.
        named = {name: getattr(bounds_of(row), name) for name in BOUNDS & changes.keys()}
        check_fits(Bounds(**named), narrow_of(above))
        check_place(row, above)
        await _check_name(session, row)
        await session.flush()
        await check_below(session, row, above)
        return record_of([*above, row])


def _not_ones_own(actor: Actor, path: Sequence[Tenant], actions: Sequence[str]) -> None:
    """A unit's own administrator may not widen the unit it belongs to."""
    own = actor.tenant_path[-1:] == (path[-1].id,)
    if own and actor.role == "tenant_admin" and "tenant.limit" in actions:
        raise Forbidden("本单位的限额和优先级由上级单位管理员或系统管理员设置。")


def _describe(row: Tenant, name: str, level: str, division: str | None, cost_centre: str) -> None:
    row.name, row.name_key = unit_name(name)
    if level not in LEVELS:
        raise BadTree(f"没有层级“{str(level)[:20]}”，可选：{'、'.join(LEVELS)}。")
    if division is not None and not DIVISION.fullmatch(division):
        raise BadValue("行政区划代码应为 6、9 或 12 位数字。")
    if len(cost_centre) > MAX_COST_CENTRE or not (cost_centre.isprintable()):
        raise BadValue(f"成本中心应为至多 {MAX_COST_CENTRE} 个可见字符。")
    row.level, row.division, row.cost_centre = level, division, cost_centre


def _set_bounds(row: Tenant, changes: Mapping[str, Any]) -> None:
    for name in BOUNDS - {"models", "limits"}:
        if name in changes:
            setattr(row, name, changes[name])
    if "models" in changes:
        row.models = None if changes["models"] is None else sorted(set(changes["models"]))
    if "limits" in changes:
        row.limits = dict(changes["limits"] or {})


def _set_state(row: Tenant, state: str) -> None:
    if state not in {ACTIVE, SUSPENDED}:
        raise BadValue(f"没有状态“{str(state)[:20]}”，可选：{ACTIVE}、{SUSPENDED}。")
    if row.id == ROOT and state == SUSPENDED:
        raise BadValue("根单位不能停用：停用后任何人都无法再管理平台。")
    row.state = state


async def _check_name(session: AsyncSession, row: Tenant) -> None:
    query = select(Tenant.id).where(Tenant.parent == row.parent, Tenant.name_key == row.name_key)
    with session.no_autoflush:
        if await session.scalar(query.where(Tenant.id != row.id)):
            raise NameTaken(f"同一上级之下已有单位“{row.name}”，请换一个名称。")
