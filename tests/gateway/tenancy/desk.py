"""A small province to test with: its office, its callers, and people who act."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.gateway.signin.password import Passwords
from zhengwu.gateway.tenancy.actions import TableTrail
from zhengwu.gateway.tenancy.callers import Callers
from zhengwu.gateway.tenancy.changes import Changes
from zhengwu.gateway.tenancy.office import Office, open_office
from zhengwu.gateway.tenancy.roles import Actor, host_actor
from zhengwu.settings import read_settings

FAST = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
HOST = host_actor("test")
SYSTEM = Actor("user:s", "system_admin")
SECURITY = Actor("user:a", "security_admin")
AUDIT = Actor("user:u", "audit_admin")


@dataclass
class Clock:
    """Seconds since the epoch that only a test moves."""

    now: float = field(default_factory=lambda: float(int(time.time())))

    def __call__(self) -> float:
        return self.now


@dataclass
class Moment:
    """A clock that only a test moves."""

    value: datetime

    def __call__(self) -> datetime:
        return self.value

    def __iadd__(self, other: timedelta) -> "Moment":
        self.value += other
        return self


@dataclass
class Gateway:
    """What one gateway process holds of tenancy."""

    office: Office
    callers: Callers
    changes: Changes
    clock: Clock


@asynccontextmanager
async def gateway_on(engine: AsyncEngine, grace_s: float = 60.0) -> AsyncGenerator[Gateway]:
    changes = Changes(engine, every_s=0.05)
    async with changes:
        clock = Clock()
        async with Callers(engine, changes, grace_s, clock=clock) as callers:
            yield Gateway(
                open_office(read_settings(), engine, changes, FAST, TableTrail()),
                callers,
                changes,
                clock,
            )


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 5.0) -> None:
    """Wait for a condition, and fail if it never comes."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)
