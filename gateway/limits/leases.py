"""Leases of gateways in Redis, so that a killed one's places come free within seconds.

PostgreSQL counts, and every gateway has a lease there that lapses after 15 s. Redis only lets the
others see a death sooner, and only for a gateway whose row says that the present run of Redis holds
its lease, and that has sent nothing to PostgreSQL for a while either. So Redis may stop, come back
empty, or answer only some: the worst that follows is that a death is noticed later.

Order matters. Up: first the lease in Redis, then the row says so. Down: the row is changed as soon
as one renewal fails, long before the lease would have run out.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import psycopg
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

LOG = logging.getLogger("zhengwu.gateway.limits")
LEASE_MS = 3000
RENEW_S = 0.8
ANSWER_S = 0.4
QUIET_US = 2_500_000
"""More than twice what a living gateway lets pass between two messages to PostgreSQL."""


class LeasesGone(Exception):
    """Redis does not answer."""


class LeaseStore(Protocol):
    """Where leases are kept besides PostgreSQL."""

    async def renew(self, gateway: str) -> str:
        """Renew the lease of `gateway`; the run of the store that holds it, or LeasesGone."""
        ...

    async def missing(self, gateways: Sequence[str]) -> list[str]:
        """Those of `gateways` that hold no lease, or LeasesGone."""
        ...

    async def close(self) -> None:
        """Let the connection go."""
        ...


class Members(Protocol):
    """The gateways that count in one database. `PostgresCounters` is the real one."""

    id: str

    async def leased_in(self, run: str) -> list[str]:
        """Write down that `run` holds this gateway's lease; the other gateways it holds."""
        ...

    async def reap(self, gone: Sequence[str], run: str, quiet_us: int) -> list[str]:
        """Give up gateways that are gone; their ids."""
        ...


class RedisLeases:
    """Leases as keys with a time to live."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
            retry=Retry(NoBackoff(), 0),
        )

    async def renew(self, gateway: str) -> str:
        """Renew the lease of `gateway`; the run of Redis that holds it."""
        try:
            async with asyncio.timeout(2 * ANSWER_S):
                await self._redis.set(_key(gateway), "1", px=LEASE_MS)
                return str((await self._redis.info("server"))["run_id"])
        except (RedisError, OSError, TimeoutError) as error:
            raise LeasesGone from error

    async def missing(self, gateways: Sequence[str]) -> list[str]:
        """Those of `gateways` that hold no lease."""
        if not gateways:
            return []
        try:
            async with asyncio.timeout(ANSWER_S):
                found = await self._redis.mget([_key(gateway) for gateway in gateways])
        except (RedisError, OSError, TimeoutError) as error:
            raise LeasesGone from error
        return [gateway for gateway, value in zip(gateways, found, strict=True) if value is None]

    async def close(self) -> None:
        """Let the connection go."""
        with suppress(RedisError, OSError, TimeoutError):
            await self._redis.aclose()


class Leases:
    """Renews this gateway's lease and looks for those that are gone."""

    def __init__(self, members: Members, store: LeaseStore) -> None:
        self._members = members
        self._store = store
        self._known = ("", "")

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            while True:
                await self.turn()
                await asyncio.sleep(RENEW_S)
        finally:
            await self._store.close()

    async def turn(self) -> list[str]:
        """One renewal and one look round; the gateways that were given up."""
        try:
            return await self._turn()
        except psycopg.Error as error:
            LOG.warning("leases are not looked at: %s", error)
            return []

    async def _turn(self) -> list[str]:
        gateway = self._members.id
        try:
            run = await self._store.renew(gateway)
            others = await self._say(gateway, run)
            gone = await self._store.missing(others)
        except LeasesGone:
            await self._say(gateway, "")
            return []
        return await self._members.reap(gone, run, QUIET_US) if gone else []

    async def _say(self, gateway: str, run: str) -> list[str]:
        if not run and self._known == (gateway, run):
            return []
        others = await self._members.leased_in(run)
        if self._known[1] != run:
            LOG.info("leases are held in %s", "Redis" if run else "PostgreSQL alone")
        self._known = (gateway, run)
        return others


def _key(gateway: str) -> str:
    return f"zhengwu:limits:lease:{gateway}"
