"""Makes a caller of a key and its path: every bound narrowed, every limit lined up."""

from collections.abc import Sequence

from zhengwu.db.tables import ApiKey, Tenant
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.tenancy.bounds import (
    Bounds,
    effective_ceiling,
    effective_media,
    effective_priority,
    effective_undeclared,
    limits_on,
    narrow,
)
from zhengwu.gateway.tenancy.errors import TenantSuspended
from zhengwu.gateway.tenancy.tree import ACTIVE, bounds_of, ids, key_bounds


def key_caller(row: ApiKey, path: Sequence[Tenant]) -> Caller:
    """The caller of a key.

    Raises:
        TenantSuspended: a tenant on the path is.
    """
    return make_caller(f"key:{row.id}", row.id, row.name, row.role, path, key_bounds(row))


def make_caller(
    scope: str,
    key_id: str,
    name: str,
    role: str,
    path: Sequence[Tenant],
    own: Bounds,
    user_id: str | None = None,
) -> Caller:
    """The caller at the end of `path` whose own limits are counted under `scope`.

    Raises:
        TenantSuspended: a tenant on the path is.
    """
    for tenant in path:
        if tenant.state != ACTIVE:
            raise TenantSuspended(f"单位“{tenant.name}”已停用，请联系平台管理员。")
    steps = [(f"tenant:{tenant.id}", bounds_of(tenant)) for tenant in path]
    steps.append((scope, own))
    found = narrow(bounds for _, bounds in steps)
    return Caller(
        key_id=key_id,
        name=name,
        tenant_path=ids(path),
        role=role,
        grade_ceiling=effective_ceiling(found),
        models=found.models,
        limits=limits_on(steps),
        priority=effective_priority(found),
        pseudonymise=bool(found.pseudonymise),
        keep_text=bool(found.keep_text),
        user_id=user_id,
        undeclared_grade=effective_undeclared(found),
        media_grade=effective_media(found),
        cost_centre=next((t.cost_centre for t in reversed(path) if t.cost_centre), ""),
    )
