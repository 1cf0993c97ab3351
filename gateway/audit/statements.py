"""The SQL that takes rows as one JSON parameter, for both databases. Knows columns only."""

from collections.abc import Sequence

from zhengwu.db.tables import AuditRecord, AuditText, Table, UsageDay
from zhengwu.gateway.audit.sums import FIGURES, GROUPS

SQLITE, POSTGRES = "sqlite", "postgresql"


def for_dialect(statement: str, dialect: str) -> str:
    """One of the statements below as `dialect` speaks it."""
    return _ALL[statement, SQLITE if dialect == SQLITE else POSTGRES]


def _names(table: type[Table]) -> list[str]:
    return [column.name for column in table.__table__.columns]


def _insert(table: type[Table], dialect: str, suffix: str = "") -> str:
    names = _names(table)
    into = f"INSERT INTO {table.__tablename__} ({', '.join(names)}) "
    return into + _select(table, names, dialect) + suffix


def _select(table: type[Table], names: Sequence[str], dialect: str) -> str:
    if dialect == SQLITE:
        found = ", ".join(f"json_extract(value, '$.{name}')" for name in names)
        # `WHERE true` tells SQLite that a following ON is no join's (https://sqlite.org/lang_upsert.html).
        return f"SELECT {found} FROM json_each(:rows) WHERE true"
    kinds = ", ".join(f"{name} {_kind(table, name)}" for name in names)
    # Times come without a zone and are UTC.
    found = ", ".join(f"{n} AT TIME ZONE 'UTC'" if n == "at" else n for n in names)
    return f"SELECT {found} FROM json_to_recordset(CAST(:rows AS json)) AS given({kinds})"


def _kind(table: type[Table], name: str) -> str:
    kind = str(table.__table__.columns[name].type).lower()
    return {"datetime": "timestamp", "double": "double precision"}.get(kind, kind)


def _sum() -> str:
    figures = ("requests", "failed", *FIGURES)
    added = ", ".join(f"{n} = usage_days.{n} + excluded.{n}" for n in figures)
    return f" ON CONFLICT ({', '.join(GROUPS)}) DO UPDATE SET {added}"


INSERT_RECORDS = "records"
INSERT_TEXTS = "texts"
UPSERT_USAGE = "usage"
KNOWN_IDS = "ids"

_ALL = {
    (INSERT_RECORDS, SQLITE): _insert(AuditRecord, SQLITE),
    (INSERT_RECORDS, POSTGRES): _insert(AuditRecord, POSTGRES),
    (INSERT_TEXTS, SQLITE): _insert(AuditText, SQLITE),
    (INSERT_TEXTS, POSTGRES): _insert(AuditText, POSTGRES),
    (UPSERT_USAGE, SQLITE): _insert(UsageDay, SQLITE, _sum()),
    (UPSERT_USAGE, POSTGRES): _insert(UsageDay, POSTGRES, _sum()),
    (KNOWN_IDS, SQLITE): (
        "SELECT id FROM audit_records WHERE id IN (SELECT value FROM json_each(:ids))"
    ),
    (KNOWN_IDS, POSTGRES): (
        "SELECT id FROM audit_records "
        "WHERE id IN (SELECT json_array_elements_text(CAST(:ids AS json)))"
    ),
}
