"""Tenants, their keys, the pool's addresses, and what administrators did.

`api_keys` keeps digests only. `admin_actions` is append-only: triggers refuse anything else.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from zhengwu.db.tables.base import Serial, Table, now

MAYBE = JSON(none_as_null=True)


class Tenant(Table):
    """One unit of the tree province, city, county, department. None: it says nothing itself."""

    __tablename__ = "tenants"
    __table_args__ = (UniqueConstraint("parent", "name_key"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    parent: Mapped[str | None] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str] = mapped_column(String(200))
    name_key: Mapped[str] = mapped_column(String(200))
    """The name as names are compared, so that no two units of one parent look alike."""
    level: Mapped[str] = mapped_column(String(16))
    division: Mapped[str | None] = mapped_column(String(12))
    state: Mapped[str] = mapped_column(String(16))
    grade_ceiling: Mapped[int | None] = mapped_column(Integer)
    models: Mapped[list[str] | None] = mapped_column(MAYBE)
    limits: Mapped[dict[str, int]] = mapped_column(JSON)
    priority: Mapped[int | None] = mapped_column(Integer)
    undeclared_grade: Mapped[int | None] = mapped_column(Integer)
    media_grade: Mapped[int | None] = mapped_column(Integer)
    pseudonymise: Mapped[bool]
    keep_text: Mapped[bool]
    cost_centre: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime] = mapped_column(default=now)


class ApiKey(Table):
    """A key to the gateway. Only the SHA-256 of the key is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (Index("ix_api_keys_tenant", "tenant"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    old_digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    """The secret before the last rotation, good until `old_until`."""
    old_until: Mapped[datetime | None]
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(32))
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    grade_ceiling: Mapped[int | None] = mapped_column(Integer)
    models: Mapped[list[str] | None] = mapped_column(MAYBE)
    limits: Mapped[dict[str, int]] = mapped_column(JSON)
    created: Mapped[datetime] = mapped_column(default=now)
    expires: Mapped[datetime | None]
    revoked: Mapped[datetime | None]
    last_used: Mapped[datetime | None]


class ChangeCounter(Table):
    """Counts changes of one subject, so that every process notices what another wrote."""

    __tablename__ = "change_counters"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class PoolAddressList(Table):
    """One edition of the security administrator's list; the newest is in force."""

    __tablename__ = "pool_address_lists"

    id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    entries: Mapped[list[Any]] = mapped_column(JSON)
    actor: Mapped[str] = mapped_column(String(80))
    created: Mapped[datetime] = mapped_column(default=now)


class AdminActionRow(Table):
    """One administrative action: who, what, digests of before and after, when."""

    __tablename__ = "admin_actions"
    __table_args__ = (Index("ix_admin_actions_at", "at"),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(default=now)
    actor: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(String(80))
    before: Mapped[str] = mapped_column(String(64))
    after: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(16))
