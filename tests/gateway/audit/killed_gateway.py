"""A gateway's trail that serves generated requests and kills itself at one point, with SIGKILL.

Each line on standard output is written after the call returned: what it says must survive.
"""

import asyncio
import inspect
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.gateway.audit.asked import a_chain, an_intent, an_outcome

from zhengwu.db.engine import open_database
from zhengwu.gateway.audit import chain, journal, move, read
from zhengwu.gateway.audit.journal import Journal
from zhengwu.gateway.audit.move import Mover
from zhengwu.gateway.audit.trail import JournalTrail

POINTS = {
    "before the transaction": (chain.Chain, "append", "before"),
    "in the transaction": (chain.Chain, "append_in", "after"),
    "after the commit": (chain.Chain, "append", "after"),
    "before a segment goes": (read.JournalReader, "moved", "before"),
    "after a segment went": (read.JournalReader, "moved", "after"),
    "at rotation": (journal.Journal, "_next_segment", "before"),
    "before a dead folder goes": (read.JournalReader, "remove", "before"),
    "half way through a write": (journal.Journal, "append", "torn"),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str, count: int) -> None:
    """Die at the `count`-th call of the point's function."""
    kind, name, when = POINTS[point]
    real: Callable[..., Any] = getattr(kind, name)
    calls = 0

    def due() -> bool:
        nonlocal calls
        calls += 1
        return calls == count

    def plain(self: Any, *given: Any) -> Any:
        last = due()
        if last and when == "torn":
            os.write(self._handle, given[0][: len(given[0]) // 2])
        if last and when != "after":
            die()
        result = real(self, *given)
        if last:
            die()
        return result

    async def later(self: Any, *given: Any) -> Any:
        last = due()
        if last and when == "before":
            die()
        result = await real(self, *given)
        if last:
            die()
        return result

    setattr(kind, name, later if inspect.iscoroutinefunction(real) else plain)


def say(word: str, name: str) -> None:
    os.write(1, f"{word} {name}\n".encode())


async def main(url: str, folder: Path, prefix: str, point: str, count: int) -> None:
    move.GROUP = 7
    arm(point, count)
    engine = open_database(url)
    own = Journal(folder / "journals", segment_bytes=6_000)
    trail = JournalTrail(own)
    mover = Mover(folder / "journals", a_chain(engine, folder), own, trail)
    for at in range(400):
        intent = an_intent(request_id=f"{prefix}-{at}")
        trail.intend(intent)
        say("i", intent.request_id)
        if at % 5:
            trail.complete(an_outcome(intent))
            say("c", intent.request_id)
        if at % 20 == 19:
            await mover.step()
    await engine.dispose()
    die()


def fork(url: str, folder: Path, name: str, point: str) -> int:
    """A gateway as a process of its own, from one import of everything."""
    pid = os.fork()
    if pid == 0:
        count = 1 if "folder" in point else 3
        asyncio.run(main(url, folder, name, point, count))
    return pid


if __name__ == "__main__":
    where, home = sys.argv[1:]
    pids = [fork(where, Path(home), f"g{n}", point) for n, point in enumerate(POINTS)]
    for pid in pids:
        _, status = os.waitpid(pid, 0)
        say("ended", str(os.waitstatus_to_exitcode(status)))
