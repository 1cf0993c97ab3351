"""The capability catalogue: what departments register and share."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from zhengwu.db.tables.base import Table, now


class Assistant(Table):
    """The name of an assistant, and whose it is."""

    __tablename__ = "assistants"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(80), index=True)
    """Who may change it, as `gateway/wire/owner.py` names callers."""
    tenant: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str] = mapped_column(String(32))
    """The key it was registered with: its rights bound the assistant."""
    created: Mapped[datetime] = mapped_column(default=now)


class AssistantVersion(Table):
    """One version. What it is never changes; only its state does."""

    __tablename__ = "assistant_versions"

    assistant: Mapped[str] = mapped_column(
        ForeignKey("assistants.name", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(String(12))
    """draft, published or withdrawn."""
    definition: Mapped[dict[str, Any]] = mapped_column(JSON)
    functions: Mapped[list[Any]] = mapped_column(JSON)
    """What its tools offered when it was registered."""
    key_id: Mapped[str] = mapped_column(String(32))
    created: Mapped[datetime] = mapped_column(default=now)


class AssistantShare(Table):
    """A tenant that may use an assistant, with everything under it, and how much."""

    __tablename__ = "assistant_shares"

    assistant: Mapped[str] = mapped_column(
        ForeignKey("assistants.name", ondelete="CASCADE"), primary_key=True
    )
    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    quota: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Kind of limit → amount; what is not named is not limited."""
    created: Mapped[datetime] = mapped_column(default=now)
