"""Documents, their clauses and chunks, and the published states of the index."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from zhengwu.db.tables.base import Serial, Table, now


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
    asked_digest: Mapped[str | None] = mapped_column(String(64))
    """Of the questions that are indexed for it; None while none were looked for."""
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
    asked_segments: Mapped[list[str]] = mapped_column(JSON, default=list)
    chunks: Mapped[int] = mapped_column(Integer)
    embedded: Mapped[int] = mapped_column(Integer)
    created: Mapped[datetime] = mapped_column(default=now)


class AskedRow(Table):
    """A question as people ask it, and the clause that answers it."""

    __tablename__ = "asked"
    __table_args__ = (Index("ix_asked_kb_embedded", "kb", "embedded"),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    kb: Mapped[str] = mapped_column(String(64))
    document: Mapped[int] = mapped_column(
        ForeignKey("documents.id", ondelete="CASCADE"), index=True
    )
    chunk: Mapped[int] = mapped_column(ForeignKey("chunks.id", ondelete="CASCADE"), index=True)
    clause_id: Mapped[str] = mapped_column(String(120))
    text: Mapped[str] = mapped_column(Text)
    embedded: Mapped[bool] = mapped_column(default=False)
