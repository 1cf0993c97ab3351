"""What callers have taken under their limits. Moments are microseconds of the database's clock."""

from sqlalchemy import BigInteger, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from zhengwu.db.tables.base import Serial, Table


class LimitCounter(Table):
    """How much was taken of one kind under one scope; of a budget, in one day or month."""

    __tablename__ = "limit_counters"
    __table_args__ = (
        UniqueConstraint("scope", "kind", "period"),
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    scope: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(32))
    period: Mapped[str] = mapped_column(String(10))
    """`2026-11-24` or `2026-11` in China's time; empty for what is no budget."""
    used: Mapped[int] = mapped_column(BigInteger, default=0)
    """Settled and reserved together; of a minute limit, what is still in the window."""
    swept: Mapped[int] = mapped_column(BigInteger, default=0)
    """The slot at which what had left the window was last taken out of `used`."""


class LimitSlot(Table):
    """What was taken under a minute limit within one tenth of a second."""

    __tablename__ = "limit_slots"
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)

    counter: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    slot: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    amount: Mapped[int] = mapped_column(BigInteger)


class LimitGateway(Table):
    """A gateway that counts here, its lease, and its last batch, so that none is applied twice."""

    __tablename__ = "limit_gateways"
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    seq: Mapped[int] = mapped_column(BigInteger)
    """The last batch; of the one gateway on SQLite, how far the journal is in the counters."""
    moment: Mapped[int] = mapped_column(BigInteger)
    failing: Mapped[str] = mapped_column(Text)
    """The verdicts of the last batch, as a PostgreSQL array."""
    lease_until: Mapped[int] = mapped_column(BigInteger)
    leased_in: Mapped[str] = mapped_column(String(64))
    """The run of Redis that holds its lease as well; empty where only this row does."""


class LimitHold(Table):
    """What a gateway's open requests hold of one counter: given up when its lease lapses."""

    __tablename__ = "limit_holds"
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)

    gateway: Mapped[str] = mapped_column(String(32), primary_key=True)
    counter: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    amount: Mapped[int] = mapped_column(BigInteger)


class LimitLapse(Table):
    """Money that a dead gateway had reserved: counted as spent, because nobody knows better."""

    __tablename__ = "limit_lapses"
    __table_args__ = (Index("ix_limit_lapses_gateway", "gateway"),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    gateway: Mapped[str] = mapped_column(String(32))
    counter: Mapped[int] = mapped_column(BigInteger)
    amount: Mapped[int] = mapped_column(BigInteger)
    moment: Mapped[int] = mapped_column(BigInteger)
