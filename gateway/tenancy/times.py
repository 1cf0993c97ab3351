"""Times as databases give them back. Knows no table."""

from datetime import datetime

from zhengwu.db.tables import in_utc


def maybe_utc(value: datetime | None) -> datetime | None:
    """A time that may be absent, with the zone that SQLite forgets."""
    return None if value is None else in_utc(value)
