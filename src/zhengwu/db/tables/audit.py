"""The audit chain, its heads, opted-in texts, and usage summed by day."""

from datetime import date, datetime

from sqlalchemy import BigInteger, Date, Double, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from zhengwu.db.tables.base import Table


class AuditRecord(Table):
    """One link of the chain: a request or an administrative action.

    `body` is the record itself, canonical JSON; `digest` is SM3 over the digest before and
    `body`. The other columns repeat what queries look into; `zhengwu audit verify` compares.
    """

    __tablename__ = "audit_records"
    __table_args__ = (
        Index("ix_audit_records_tenant_day", "tenant", "day"),
        Index("ix_audit_records_key_id_day", "key_id", "day"),
    )

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime]
    day: Mapped[date] = mapped_column(Date, index=True)
    """In China's time."""
    request_id: Mapped[str] = mapped_column(String(200), index=True)
    tenant: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(String(400))
    """Tenant ids from the province down, each between slashes."""
    key_id: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(String(200))
    upstream: Mapped[str] = mapped_column(String(200))
    status: Mapped[int] = mapped_column(Integer)
    outcome: Mapped[str] = mapped_column(String(64))
    grade: Mapped[int] = mapped_column(Integer)
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    cost: Mapped[int] = mapped_column(BigInteger)
    """Micro-yuan."""
    energy_wh: Mapped[float] = mapped_column(Double)
    co2e_g: Mapped[float] = mapped_column(Double)
    total_ms: Mapped[float] = mapped_column(Double)
    body: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))


class AuditText(Table):
    """A masked text of a tenant that opted in; its digest is in the record."""

    __tablename__ = "audit_texts"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    part: Mapped[str] = mapped_column(String(8), primary_key=True)
    """question or answer."""
    grade: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text)


class AuditHead(Table):
    """The signed end of one day's records, by the day on which they were moved here."""

    __tablename__ = "audit_heads"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(Date, unique=True)
    body: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(String(160))


class AuditState(Table):
    """The signed end of the chain at this moment: one row."""

    __tablename__ = "audit_state"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    body: Mapped[str] = mapped_column(Text)
    signature: Mapped[str] = mapped_column(String(160))


class UsageDay(Table):
    """What one key took of one model in one day, in China's time."""

    __tablename__ = "usage_days"
    __table_args__ = (Index("ix_usage_days_tenant_day", "tenant", "day"),)

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    path: Mapped[str] = mapped_column(String(400))
    requests: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(BigInteger)
    """Requests that did not end with `done`."""
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    cost: Mapped[int] = mapped_column(BigInteger)
    energy_wh: Mapped[float] = mapped_column(Double)
    co2e_g: Mapped[float] = mapped_column(Double)
