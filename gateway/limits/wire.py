"""One connection to PostgreSQL, opened when needed and again after it broke. Knows no statement."""

import asyncio
from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg
from sqlalchemy import make_url

CONNECT_S = 3
STATEMENT_MS = 8000
"""A statement that takes longer waits for something that is stuck; it is ended and sent again."""


class Wire:
    """Sends statements one at a time, each a transaction of its own."""

    def __init__(self, url: str) -> None:
        given = make_url(url).set(drivername="postgresql")
        self._url = given.render_as_string(hide_password=False)
        self._turn = asyncio.Lock()
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None

    async def fetch(self, query: LiteralString, given: Sequence[Any]) -> tuple[Any, ...] | None:
        """The first row."""
        rows = await self.fetch_all(query, given)
        return rows[0] if rows else None

    async def fetch_all(self, query: LiteralString, given: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Every row.

        Raises:
            psycopg.Error: the next call opens a new connection where this one broke.
        """
        async with self._turn:
            return await self._ask(query, given)

    async def _ask(self, query: LiteralString, given: Sequence[Any]) -> list[tuple[Any, ...]]:
        connection = self._connection
        if connection is None or connection.closed:
            connection = self._connection = await self._connect()
        try:
            cursor = await connection.execute(query, given, prepare=True)
            return await cursor.fetchall() if cursor.description else []
        except BaseException as error:
            if not isinstance(error, psycopg.Error) or connection.broken:
                await self.close()  # also when cancelled: its answer must not meet another question
            raise

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _connect(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        return await psycopg.AsyncConnection.connect(
            self._url,
            autocommit=True,
            connect_timeout=CONNECT_S,
            options=f"-c statement_timeout={STATEMENT_MS}",
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=10_000,
        )
