"""The base of every table: names of constraints, types, the clock. Knows no table."""

from datetime import UTC, date, datetime

from sqlalchemy import BigInteger, Date, DateTime, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase

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


def in_utc(value: datetime) -> datetime:
    """A time as it was stored: SQLite gives it back without its zone, which is UTC."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)


class Table(DeclarativeBase):
    """The base of every table."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: DateTime(timezone=True), date: Date()}
