"""What conversations carried."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from zhengwu.db.tables.base import Table, now


class SessionGrade(Table):
    """The highest grade of a conversation. Only the SHA-256 of its id and tenant is kept."""

    __tablename__ = "session_grades"
    __table_args__ = (Index("ix_session_grades_seen", "seen"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    grade: Mapped[int]
    seen: Mapped[datetime] = mapped_column(default=now)
