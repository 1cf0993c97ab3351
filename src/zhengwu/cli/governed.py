"""Runs one administrative command on this machine's database, as the host. Holds no logic."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from zhengwu.cli.output import failures
from zhengwu.db.home import open_engine
from zhengwu.gateway.tenancy.office import Office, open_office
from zhengwu.gateway.tenancy.roles import Actor, host_actor
from zhengwu.settings import read_settings

T = TypeVar("T")


@dataclass(frozen=True)
class Desk:
    """Where a command does its work, and as whom."""

    actor: Actor

    def do(self, work: Callable[[Office], Awaitable[T]]) -> T:
        """Do `work` on the database of the settings."""

        async def inner() -> T:
            settings = read_settings()
            async with open_engine(settings) as engine:
                return await work(open_office(settings, engine))

        return asyncio.run(inner())


@contextmanager
def run(as_json: bool) -> Generator[Desk]:
    """A desk; what the product raises becomes a line and exit status 1."""
    with failures(as_json):
        yield Desk(host_actor(str(os.getuid())))
