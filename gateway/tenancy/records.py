"""What may be shown of a tenant: what it says itself, and what holds with all that is above it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from zhengwu.db.tables import Tenant
from zhengwu.db.tables.base import in_utc
from zhengwu.gateway.governed.caller import Limit, LimitKind
from zhengwu.gateway.tenancy.bounds import (
    Bounds,
    effective_ceiling,
    effective_media,
    effective_priority,
    effective_undeclared,
    limits_on,
    narrow,
)
from zhengwu.gateway.tenancy.tree import ACTIVE, SUSPENDED, bounds_of, ids


@dataclass(frozen=True)
class Effective:
    """What holds for a tenant, everything above it considered."""

    state: str
    grade_ceiling: int
    models: tuple[str, ...] | None
    limits: tuple[Limit, ...]
    priority: int
    undeclared_grade: int
    media_grade: int
    pseudonymise: bool
    keep_text: bool


@dataclass(frozen=True)
class TenantRecord:
    """A tenant as it stands, with what holds for it. None: it says nothing itself."""

    id: str
    parent: str | None
    path: tuple[str, ...]
    name: str
    level: str
    division: str | None
    state: str
    grade_ceiling: int | None
    models: tuple[str, ...] | None
    limits: Mapping[LimitKind, int]
    priority: int | None
    undeclared_grade: int | None
    media_grade: int | None
    pseudonymise: bool
    keep_text: bool
    cost_centre: str
    created: datetime
    effective: Effective


def narrow_of(path: Sequence[Tenant]) -> Bounds:
    """The bounds in force at the end of `path`."""
    return narrow(bounds_of(row) for row in path)


def record_of(path: Sequence[Tenant]) -> TenantRecord:
    """The record of the last tenant of `path`."""
    row, found = path[-1], narrow_of(path)
    suspended = any(tenant.state != ACTIVE for tenant in path)
    models = None if row.models is None else tuple(row.models)
    return TenantRecord(
        id=row.id,
        parent=row.parent,
        path=ids(path),
        name=row.name,
        level=row.level,
        division=row.division,
        state=row.state,
        grade_ceiling=row.grade_ceiling,
        models=models,
        limits=bounds_of(row).limits,
        priority=row.priority,
        undeclared_grade=row.undeclared_grade,
        media_grade=row.media_grade,
        pseudonymise=row.pseudonymise,
        keep_text=row.keep_text,
        cost_centre=row.cost_centre,
        created=in_utc(row.created),
        effective=Effective(
            state=SUSPENDED if suspended else ACTIVE,
            grade_ceiling=effective_ceiling(found),
            models=None if found.models is None else tuple(sorted(found.models)),
            limits=limits_on((f"tenant:{t.id}", bounds_of(t)) for t in path),
            priority=effective_priority(found),
            undeclared_grade=effective_undeclared(found),
            media_grade=effective_media(found),
            pseudonymise=bool(found.pseudonymise),
            keep_text=bool(found.keep_text),
        ),
    )
