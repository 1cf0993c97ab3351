"""Every table, in one place: the migrations in `migrations/` must lead exactly here.

A test compares the two. Times are UTC; `JSON` columns hold only what no query looks into.
"""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
# SQLite only numbers rows by itself for INTEGER primary keys.
Serial = BigInteger().with_variant(Integer, "sqlite")


def now() -> datetime:
    """The present moment, UTC."""
    return datetime.now(UTC)


class Table(DeclarativeBase):
    """The base of every table."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: DateTime(timezone=True), date: Date()}


class ApiKey(Table):
    """A key to the gateway. Only the SHA-256 of the key is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(32))
    created: Mapped[datetime] = mapped_column(default=now)
    expires: Mapped[datetime | None]
    revoked: Mapped[datetime | None]


class Document(Table):
    """One version of one document of a knowledge base. Old versions stay as history."""

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("kb", "doc_id", "version"),
        Index("ix_documents_kb_state", "kb", "state"),
    )

    id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    kb: Mapped[str] = mapped_column(String(64))
    doc_id: Mapped[str] = mapped_column(String(128))
    version: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(8))
    """pending until its index is published, then live, then history."""
    title: Mapped[str] = mapped_column(String(500))
    digest: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(1000))
    kind: Mapped[str] = mapped_column(String(32))
    organ: Mapped[str | None] = mapped_column(String(200))
    document_number: Mapped[str | None] = mapped_column(String(100))
    region: Mapped[str | None] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(32))
    issued: Mapped[date | None]
    effective_from: Mapped[date | None]
    effective_to: Mapped[date | None]
    grade: Mapped[int] = mapped_column(Integer, default=1)
    meta: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created: Mapped[datetime] = mapped_column(default=now)


class ClauseRow(Table):
    """A node of the clause tree of one document version: what a citation opens."""

    __tablename__ = "clauses"
    __table_args__ = (UniqueConstraint("document", "clause_id"),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    document: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    clause_id: Mapped[str] = mapped_column(String(120))
    parent: Mapped[str | None] = mapped_column(String(120))
    position: Mapped[int] = mapped_column(Integer)
    level: Mapped[str] = mapped_column(String(8))
    label: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)


class Chunk(Table):
    """What retrieval finds: one clause, or neighbouring small ones, of a live document."""

    __tablename__ = "chunks"
    __table_args__ = (Index("ix_chunks_kb_embedded", "kb", "embedded"),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    kb: Mapped[str] = mapped_column(String(64))
    document: Mapped[int] = mapped_column(
        ForeignKey("documents.id", ondelete="CASCADE"), index=True
    )
    position: Mapped[int] = mapped_column(Integer)
    clause_ids: Mapped[list[str]] = mapped_column(JSON)
    path: Mapped[str] = mapped_column(String(1000))
    text: Mapped[str] = mapped_column(Text)
    embedded: Mapped[bool] = mapped_column(default=False)


class Generation(Table):
    """A published state of the index of one knowledge base: readers open exactly these files."""

    __tablename__ = "generations"

    id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    kb: Mapped[str] = mapped_column(String(64), index=True)
    opstamp: Mapped[int] = mapped_column(BigInteger)
    segments: Mapped[list[str]] = mapped_column(JSON)
    chunks: Mapped[int] = mapped_column(Integer)
    embedded: Mapped[int] = mapped_column(Integer)
    created: Mapped[datetime] = mapped_column(default=now)


class Job(Table):
    """Heavy work for the worker. A job is leased; a lease that lapses is taken up again."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_status_due", "status", "due"),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(64))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    status: Mapped[str] = mapped_column(String(16), default="queued")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    due: Mapped[datetime] = mapped_column(default=now)
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None] = mapped_column(String(100))
    progress: Mapped[float] = mapped_column(default=0.0)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    error: Mapped[str | None] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(default=now)
    finished: Mapped[datetime | None]


class Answer(Table):
    """The record of one citizen question: status and evidence, text masked of personal data."""

    __tablename__ = "answers"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    conversation: Mapped[str] = mapped_column(String(32), index=True)
    kb: Mapped[str] = mapped_column(String(64))
    region: Mapped[str | None] = mapped_column(String(100))
    question: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(24))
    reason: Mapped[str | None] = mapped_column(Text)
    sentences: Mapped[list[Any]] = mapped_column(JSON)
    citations: Mapped[list[Any]] = mapped_column(JSON)
    grade: Mapped[int] = mapped_column(Integer)
    timings: Mapped[dict[str, Any]] = mapped_column(JSON)
    created: Mapped[datetime] = mapped_column(default=now)
