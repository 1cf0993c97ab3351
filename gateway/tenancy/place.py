"""Where a tenant may stand in the tree: level, depth, parent, and a move that widens nothing."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from zhengwu.db.tables import Tenant
from zhengwu.gateway.tenancy.bounds import (
    Bounds,
    effective_ceiling,
    effective_media,
    effective_undeclared,
    meet,
)
from zhengwu.gateway.tenancy.errors import BadTree
from zhengwu.gateway.tenancy.records import narrow_of
from zhengwu.gateway.tenancy.roles import Actor, check
from zhengwu.gateway.tenancy.tree import (
    LEVELS,
    MAX_DEPTH,
    ROOT,
    bounds_of,
    depth_below,
    ids,
    path_to,
)


async def new_place(
    session: AsyncSession, actor: Actor, row: Tenant, parent: object, before: Bounds
) -> list[Tenant]:
    """The path of a new parent, if `row` may go there."""
    if row.id == ROOT or not isinstance(parent, str):
        raise BadTree("根单位没有上级，其他单位必须有上级。")
    above = await path_to(session, parent)
    check(actor, "tenant.update", ids(above))
    if row.id in ids(above):
        raise BadTree(f"单位“{row.name}”不能移到它自己的下级之下。")
    after = meet(narrow_of(above), bounds_of(row))
    if _safe(meet(before, after)) != _safe(after):
        raise BadTree(
            "移动后数据分级、可用模型等范围会放宽。请安全管理员先在该单位上设定原有范围，再移动。"
        )
    row.parent = parent
    return above


def _safe(bounds: Bounds) -> tuple[object, ...]:
    """What is the security administrator's: a move may not widen it."""
    ceiling, undeclared = effective_ceiling(bounds), effective_undeclared(bounds)
    media = effective_media(bounds)
    return ceiling, bounds.models, undeclared, media, bounds.pseudonymise, bounds.keep_text


def check_place(row: Tenant, above: Sequence[Tenant]) -> None:
    """Refuse a level or depth that `above` does not allow.

    Raises:
        BadTree: names the level, or the depth.
    """
    _check_depth(len(above) + 1)
    if above and not _fits(row.level, above[-1].level):
        raise BadTree(f"层级“{row.level}”不能放在“{above[-1].level}”之下。")


async def check_below(session: AsyncSession, row: Tenant, above: Sequence[Tenant]) -> None:
    """Refuse a level or a place that the units below `row` do not fit.

    Raises:
        BadTree: names the level, or the depth.
    """
    with session.no_autoflush:
        levels = (await session.scalars(select(Tenant.level).where(Tenant.parent == row.id))).all()
        deep = await depth_below(session, row.id)
    for level in levels:
        if not _fits(level, row.level):
            raise BadTree(f"下级单位中有“{level}”，本单位不能改为“{row.level}”。")
    _check_depth(len(above) + 1 + deep)


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise BadTree(f"单位最多 {MAX_DEPTH} 级，请放在较高的单位之下。")


def _fits(level: str, over: str) -> bool:
    rank, above = LEVELS.index(level), LEVELS.index(over)
    return rank > above or level == over == "department"
