"""People who sign in: how they prove who they are, and their sessions. Never a secret in clear."""

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from zhengwu.db.tables.base import Table, now


class User(Table):
    """One person with one role. `issuer` and `subject` are set where a provider vouches."""

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("issuer", "subject"), Index("ix_users_tenant", "tenant"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    name_key: Mapped[str] = mapped_column(String(64), unique=True)
    display: Mapped[str] = mapped_column(String(100))
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    role: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    password: Mapped[str | None] = mapped_column(String(200))
    """Argon2id in its own notation."""
    must_change: Mapped[bool] = mapped_column(Boolean)
    totp: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The shared secret, sealed with the key of this installation."""
    totp_confirmed: Mapped[bool] = mapped_column(Boolean)
    totp_step: Mapped[int] = mapped_column(Integer)
    """The last time step that was used: a code is good once."""
    issuer: Mapped[str | None] = mapped_column(String(300))
    subject: Mapped[str | None] = mapped_column(String(300))
    created: Mapped[datetime] = mapped_column(default=now)
    last_sign_in: Mapped[datetime | None]


class RecoveryCode(Table):
    """A code that stands in for the second factor, once."""

    __tablename__ = "recovery_codes"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    used: Mapped[datetime | None]


class SignInFailures(Table):
    """Failures of one name, known or not, by the digest of the name."""

    __tablename__ = "sign_in_failures"

    name_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    locked_until: Mapped[datetime | None]
    updated: Mapped[datetime] = mapped_column(default=now, index=True)


class SignInSession(Table):
    """A session; the cookie's SHA-256 is its name."""

    __tablename__ = "sign_in_sessions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    strong: Mapped[bool] = mapped_column(Boolean)
    """Whether a second factor was shown."""
    created: Mapped[datetime] = mapped_column(default=now)
    seen: Mapped[datetime] = mapped_column(default=now)
    ends: Mapped[datetime] = mapped_column(index=True)


class OidcState(Table):
    """A sign-in under way at a provider; taken out once, when the answer comes."""

    __tablename__ = "oidc_states"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    nonce: Mapped[str] = mapped_column(String(64))
    verifier: Mapped[str] = mapped_column(String(128))
    back: Mapped[str] = mapped_column(String(500))
    ends: Mapped[datetime] = mapped_column(index=True)
