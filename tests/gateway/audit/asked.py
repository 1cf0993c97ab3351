"""Generated requests for the trail, and the parts of a chain in a folder."""

import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.gateway.audit.chain import Chain
from zhengwu.gateway.audit.keys import open_key, trusted
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.ports import Ask, Attempt, Intent, Outcome, Spent

CALLER = Caller("key-1", "应用", ("province", "city", "bureau"))
NUMBERS = itertools.count(1)


def an_intent(caller: Caller = CALLER, text: str | None = None, **changed: object) -> Intent:
    name = f"request-{next(NUMBERS):08d}"
    intent = Intent(
        request_id=name,
        caller=caller,
        route="/v1/chat/completions",
        model="chat",
        grade=2,
        grade_reason="declared",
        input_digest="a" * 64,
        reserved=Ask(name, "chat", 100, 200, 50),
        stream=True,
        started=1_795_000_000.25,
        text=text,
    )
    return replace(intent, **changed)


def an_outcome(intent: Intent, **changed: object) -> Outcome:
    outcome = Outcome(
        request_id=intent.request_id,
        status=200,
        outcome="done",
        attempts=(Attempt("down", "upstream_down", 3.25, "least loaded"), Attempt("up", "ok", 40)),
        upstream="up",
        spent=Spent(90, 30, 12),
        output_digest="b" * 64,
        energy_wh=0.25,
        co2e_g=0.125,
        first_token_ms=12.5,
        total_ms=43.2,
    )
    return replace(outcome, **changed)


@dataclass
class Clock:
    """A clock that a test sets."""

    moment: datetime = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment


def a_chain(engine: AsyncEngine, folder: Path, clock: Clock | None = None) -> Chain:
    key = open_key(folder)
    return Chain(engine, key, trusted(folder), clock or Clock())
