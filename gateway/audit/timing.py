"""Measures the trail on this machine: its cost to a request, the mover's pace, verification's.

Writes generated requests into a folder and a database that are for nothing else.
"""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.gateway.audit.chain import Chain
from zhengwu.gateway.audit.digest import sm3
from zhengwu.gateway.audit.journal import Journal
from zhengwu.gateway.audit.keys import open_key, trusted
from zhengwu.gateway.audit.move import Mover
from zhengwu.gateway.audit.trail import JournalTrail
from zhengwu.gateway.audit.verify import verify
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.ports import Ask, Attempt, Intent, Outcome, Spent

TENANTS, KEYS = 20, 200


@dataclass(frozen=True)
class Timing:
    """What was measured. `trail_us`: both calls of one request together."""

    requests: int
    trail_us_p50: float
    trail_us_p99: float
    moved_per_s: float
    verified_per_s: float
    ok: bool


async def measure(engine: AsyncEngine, folder: Path, requests: int) -> Timing:
    """Take `requests` through journal, chain and verification."""
    key = open_key(folder)
    journal = Journal(folder / "journals")
    trail = JournalTrail(journal)
    took = [_one(trail, number) for number in range(requests)]
    keys = trusted(folder)
    mover = Mover(folder / "journals", Chain(engine, key, keys), journal, trail)
    began = time.perf_counter()
    await mover.drain()
    moved = time.perf_counter() - began
    began = time.perf_counter()
    verdict = await verify(engine, keys)
    verified = time.perf_counter() - began
    journal.close()
    cuts = statistics.quantiles(took, n=100)
    return Timing(
        requests=requests,
        trail_us_p50=round(cuts[49], 1),
        trail_us_p99=round(cuts[98], 1),
        moved_per_s=round(requests / moved),
        verified_per_s=round(verdict.records / verified),
        ok=verdict.ok and verdict.records == requests,
    )


def _one(trail: JournalTrail, number: int) -> float:
    """Microseconds that both calls of one request took."""
    name = f"{number:032x}"
    path = ("province", "city", f"bureau-{number % TENANTS}")
    intent = Intent(
        request_id=name,
        caller=Caller(f"key-{number % KEYS}", "", path),
        route="/v1/chat/completions",
        model="chat",
        grade=2,
        grade_reason="declared",
        input_digest=sm3(name.encode()),
        reserved=Ask(name, "chat", 200, 500, 1000),
        stream=True,
        started=time.time(),
    )
    outcome = Outcome(
        request_id=name,
        status=200,
        outcome="done",
        attempts=(Attempt("pool-a", "ok", 812.5, "least_loaded"),),
        upstream="pool-a",
        spent=Spent(180, 120, 400),
        output_digest=intent.input_digest,
        energy_wh=0.0313,
        co2e_g=0.0201,
        first_token_ms=87.5,
        total_ms=815.0,
    )
    began = time.perf_counter()
    trail.intend(intent)
    trail.complete(outcome)
    return (time.perf_counter() - began) * 1e6
