"""One database for everything stateful: SQLite by default, PostgreSQL in production."""
