"""What the wire keeps: stored responses, files, batches and answers by idempotency key.

`owner` is who may see a row: `user:…`, `tenant:…` or `key:…`. `key_id` is who pays.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from zhengwu.db.tables.base import Table, now


class StoredResponse(Table):
    """One response of `/v1/responses`, kept until it is deleted or expires."""

    __tablename__ = "stored_responses"
    __table_args__ = (Index("ix_stored_responses_owner_created", "owner", "created"),)

    id: Mapped[str] = mapped_column(String(48), primary_key=True)
    owner: Mapped[str] = mapped_column(String(80))
    key_id: Mapped[str] = mapped_column(String(32))
    previous: Mapped[str | None] = mapped_column(String(48))
    status: Mapped[str] = mapped_column(String(16))
    grade: Mapped[int] = mapped_column(Integer)
    """The highest grade of everything up to and with this turn."""
    declared: Mapped[str | None] = mapped_column(String(8))
    request: Mapped[dict[str, Any]] = mapped_column(JSON)
    shown: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The response as it was last told."""
    created: Mapped[datetime] = mapped_column(default=now)
    expires: Mapped[datetime] = mapped_column(index=True)


class WireFile(Table):
    """An uploaded file, or one that a batch wrote."""

    __tablename__ = "wire_files"
    __table_args__ = (Index("ix_wire_files_owner_created", "owner", "created"),)

    id: Mapped[str] = mapped_column(String(48), primary_key=True)
    owner: Mapped[str] = mapped_column(String(80))
    key_id: Mapped[str] = mapped_column(String(32))
    filename: Mapped[str] = mapped_column(String(255))
    purpose: Mapped[str] = mapped_column(String(32))
    size: Mapped[int] = mapped_column(BigInteger)
    ready: Mapped[bool]
    """False while parts still come in; nobody sees it then."""
    created: Mapped[datetime] = mapped_column(default=now)
    expires: Mapped[datetime] = mapped_column(index=True)


class FilePart(Table):
    """A stretch of a file's bytes."""

    __tablename__ = "wire_file_parts"

    file: Mapped[str] = mapped_column(
        ForeignKey("wire_files.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Batch(Table):
    """A batch of requests, run by the worker."""

    __tablename__ = "batches"
    __table_args__ = (Index("ix_batches_owner_created", "owner", "created"),)

    id: Mapped[str] = mapped_column(String(48), primary_key=True)
    owner: Mapped[str] = mapped_column(String(80))
    key_id: Mapped[str] = mapped_column(String(32))
    endpoint: Mapped[str] = mapped_column(String(64))
    input_file: Mapped[str] = mapped_column(String(48))
    output_file: Mapped[str | None] = mapped_column(String(48))
    error_file: Mapped[str | None] = mapped_column(String(48))
    status: Mapped[str] = mapped_column(String(16), index=True)
    declared: Mapped[str | None] = mapped_column(String(8))
    """The data grade that the caller declared for all lines."""
    note: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """What the API calls `metadata`."""
    errors: Mapped[list[Any] | None] = mapped_column(JSON)
    times: Mapped[dict[str, Any]] = mapped_column(JSON)
    """`in_progress_at` and its like, seconds since the epoch."""
    created: Mapped[datetime] = mapped_column(default=now)
    expires: Mapped[datetime]


class BatchLine(Table):
    """One request of a batch and how it ended."""

    __tablename__ = "batch_lines"
    __table_args__ = (Index("ix_batch_lines_batch_state", "batch", "state"),)

    batch: Mapped[str] = mapped_column(
        ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    custom_id: Mapped[str] = mapped_column(String(256))
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(12))
    """waiting, then done or failed."""
    attempts: Mapped[int] = mapped_column(Integer)
    answer: Mapped[str | None] = mapped_column(Text)
    """The line of the output or of the error file."""
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)


class IdempotentAnswer(Table):
    """The answer to a request that carried an idempotency key."""

    __tablename__ = "idempotent_answers"
    __table_args__ = (Index("ix_idempotent_answers_key_id_created", "key_id", "created"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the caller's key id and the idempotency key."""
    key_id: Mapped[str] = mapped_column(String(32))
    request: Mapped[str] = mapped_column(String(64))
    """SHA-256 of method, path and body."""
    holder: Mapped[str | None] = mapped_column(String(32))
    """Who works on it now; None once it is answered."""
    held_until: Mapped[datetime]
    status: Mapped[int] = mapped_column(Integer)
    headers: Mapped[list[Any]] = mapped_column(JSON)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created: Mapped[datetime] = mapped_column(default=now)
    expires: Mapped[datetime] = mapped_column(index=True)
