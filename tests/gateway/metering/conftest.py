"""The databases of the audit trail's tests."""

from tests.gateway.audit.conftest import (
    database_url,
    engine,
    postgres_template,
    sqlite_template,
)

__all__ = ["database_url", "engine", "postgres_template", "sqlite_template"]
