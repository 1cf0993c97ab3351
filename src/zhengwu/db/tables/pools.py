"""What was deployed on the pool, and the other pools a route may use."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from zhengwu.db.tables.base import Serial, Table, now


class PoolVersion(Table):
    """One version of a model on this pool. Rollback goes to the one before."""

    __tablename__ = "pool_versions"
    __table_args__ = (UniqueConstraint("model", "version"),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    model: Mapped[str] = mapped_column(String(100))
    version: Mapped[int] = mapped_column(Integer)
    code: Mapped[str] = mapped_column(String(16))
    """What it is made of; the same code is the same version."""
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    origin: Mapped[str] = mapped_column(String(16))
    """profile, or operator: then it outlives a restart against the profile."""
    state: Mapped[str] = mapped_column(String(16))
    """asked, live, retired, or refused."""
    message: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[datetime] = mapped_column(default=now)


class RemotePool(Table):
    """Another pool, such as a cloud node: where it is, what it may be given, what it takes."""

    __tablename__ = "remote_pools"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    base_url: Mapped[str] = mapped_column(String(500))
    """Ends where `/chat/completions` begins; `{model}` stands for the model's name there."""
    health_url: Mapped[str] = mapped_column(String(500))
    region: Mapped[str] = mapped_column(String(100))
    locality: Mapped[int] = mapped_column(Integer)
    """0 here, 1 in the same city or province, 2 elsewhere."""
    grade_ceiling: Mapped[int] = mapped_column(Integer)
    privately_deployed: Mapped[bool] = mapped_column(default=False)
    key_env: Mapped[str | None] = mapped_column(String(64))
    input_price: Mapped[float | None]
    """CNY per million tokens; None where nobody takes anything."""
    output_price: Mapped[float | None]
    price_as_of: Mapped[date | None]
    tokens_per_day: Mapped[int | None] = mapped_column(BigInteger)
    """Quota, in China's days; None is no quota."""
    slots: Mapped[int] = mapped_column(Integer, default=64)
    models: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Our name of a model → its name there."""
    spent_day: Mapped[date | None]
    spent_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    healthy: Mapped[bool | None]
    """None: not asked yet."""
    failures: Mapped[int] = mapped_column(Integer, default=0)
    """Checks that failed in a row."""
    checked: Mapped[datetime | None]
    message: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[datetime] = mapped_column(default=now)
