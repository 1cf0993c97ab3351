"""Reads the tree of tenants: the path down to one, and what lies under it. Writes nothing."""

from collections.abc import Sequence
from typing import cast

from sqlalchemy import CTE, Select, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from zhengwu.db.tables import ApiKey, Tenant
from zhengwu.gateway.governed.caller import LimitKind
from zhengwu.gateway.tenancy.bounds import Bounds
from zhengwu.gateway.tenancy.errors import BadTree, UnknownTenant

ROOT = "root"
LEVELS = ("province", "city", "county", "department")
MAX_DEPTH = 8
ACTIVE, SUSPENDED = "active", "suspended"


async def depth_below(session: AsyncSession, tenant_id: str) -> int:
    """How many levels of tenants lie under `tenant_id`."""
    return await session.scalar(select(func.max(_tree(tenant_id).c.down))) or 0


async def path_to(session: AsyncSession, tenant_id: str) -> list[Tenant]:
    """The tenants from the root down to `tenant_id`.

    Raises:
        UnknownTenant: there is none of that id.
        BadTree: what is stored is no tree; nothing is allowed then.
    """
    start = select(Tenant.id, Tenant.parent, literal(0).label("up")).where(Tenant.id == tenant_id)
    path = start.cte("path", recursive=True)
    above = select(Tenant.id, Tenant.parent, (path.c.up + 1).label("up"))
    above = above.join(path, Tenant.id == path.c.parent).where(path.c.up < MAX_DEPTH)
    whole = path.union_all(above)
    rows = (
        await session.scalars(
            select(Tenant).join(whole, Tenant.id == whole.c.id).order_by(whole.c.up.desc())
        )
    ).all()
    if not rows:
        raise UnknownTenant(f"没有编号为“{tenant_id[:40]}”的单位，请用 zhengwu tenant list 查看。")
    if rows[0].id != ROOT or len({row.id for row in rows}) != len(rows):
        raise BadTree(f"单位“{tenant_id}”的上级关系有误，请系统管理员检查单位树。")
    return list(rows)


def under(tenant_id: str) -> Select[tuple[str]]:
    """A query for the ids of `tenant_id` and everything under it."""
    return select(_tree(tenant_id).c.id)


def _tree(tenant_id: str) -> CTE:
    start = select(Tenant.id, literal(0).label("down")).where(Tenant.id == tenant_id)
    tree = start.cte("tree", recursive=True)
    below = select(Tenant.id, (tree.c.down + 1).label("down"))
    below = below.join(tree, Tenant.parent == tree.c.id).where(tree.c.down < MAX_DEPTH)
    return tree.union_all(below)


async def climb(session: AsyncSession, row: Tenant) -> list[Tenant]:
    """The path down to `row`, of which `session` remembers what it read before."""
    path = [row]
    while path[0].parent is not None and len(path) <= MAX_DEPTH:
        above = await session.get(Tenant, path[0].parent)
        assert above is not None  # a foreign key says so
        path.insert(0, above)
    return path


def bounds_of(row: Tenant) -> Bounds:
    """What a tenant says for itself."""
    return Bounds(
        grade_ceiling=row.grade_ceiling,
        models=None if row.models is None else frozenset(row.models),
        limits=cast(dict[LimitKind, int], dict(row.limits)),
        priority=row.priority,
        undeclared_grade=row.undeclared_grade,
        media_grade=row.media_grade,
        pseudonymise=row.pseudonymise,
        keep_text=row.keep_text,
    )


def key_bounds(row: ApiKey) -> Bounds:
    """What a key says for itself."""
    return Bounds(
        grade_ceiling=row.grade_ceiling,
        models=None if row.models is None else frozenset(row.models),
        limits=cast(dict[LimitKind, int], dict(row.limits)),
    )


def ids(path: Sequence[Tenant]) -> tuple[str, ...]:
    """The ids of a path."""
    return tuple(row.id for row in path)
