"""What the governed path stands on, as small parts that count what they are asked for."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from zhengwu.gateway.errors import GatewayError
from zhengwu.gateway.governed.asked import Asked
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.grade import Grading
from zhengwu.gateway.governed.path import Governed, GovernedParts
from zhengwu.gateway.governed.ports import Ask, Intent, Outcome, Spent
from zhengwu.gateway.governed.sessions import LocalSessions
from zhengwu.gateway.metrics import Metrics
from zhengwu.gateway.served import Served, ServedModel
from zhengwu.models.route import Route
from zhengwu.models.upstream import Call, Upstream

CALLER = Caller("k1", "测试应用", ("root", "city"))
UPSTREAM = Upstream("m", "http://127.0.0.1:1/v1", "m")
METRICS = Metrics()
QUESTION = "居住证多久能办好？"


class NoRoom(GatewayError):
    """A limit was reached."""

    code = "too_many_requests"


@dataclass
class Counting:
    """Limits: one place a request, and what each was settled with."""

    refuse: bool = False
    pause_s: float = 0.0
    asks: list[Ask] = field(default_factory=list[Ask])
    settled: list[Spent] = field(default_factory=list[Spent])

    async def reserve(self, caller: Caller, ask: Ask) -> "Counting":
        if self.refuse:
            raise NoRoom("已达上限")
        self.asks.append(ask)
        return self

    async def settle(self, spent: Spent) -> None:
        await asyncio.sleep(self.pause_s)
        self.settled.append(spent)


@dataclass
class Listing:
    """A trail in two lists."""

    full: bool = False
    intents: list[Intent] = field(default_factory=list[Intent])
    outcomes: list[Outcome] = field(default_factory=list[Outcome])

    def intend(self, intent: Intent) -> None:
        if self.full:
            raise GatewayError("磁盘已满")
        self.intents.append(intent)

    def complete(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


@dataclass
class Scripted:
    """An upstream that says `pieces`; an exception among them is raised there."""

    pieces: Sequence[bytes | BaseException] = ()
    status: int = 200
    opening: BaseException | None = None
    hold: asyncio.Event | None = None
    calls: list[Call] = field(default_factory=list[Call])
    upstream: Upstream = UPSTREAM
    closed: int = 0

    @property
    def headers(self) -> Mapping[str, str]:
        return {}

    @asynccontextmanager
    async def open(self, alias: str, call: Call) -> AsyncGenerator["Scripted"]:
        self.calls.append(call)
        if self.hold:
            await self.hold.wait()
        call.attempts.begin(self.upstream)
        if self.opening:
            raise self.opening
        call.attempts.answered = self.upstream
        try:
            yield self
        finally:
            self.closed += 1

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            await asyncio.sleep(0)
            if isinstance(piece, BaseException):
                raise piece
            yield piece


@dataclass
class Ground:
    """A governed path and the parts to look at."""

    routes: Scripted = field(default_factory=Scripted)
    limits: Counting = field(default_factory=Counting)
    trail: Listing = field(default_factory=Listing)
    metrics: Metrics = METRICS

    @property
    def governed(self) -> Governed:
        route = Route((self.routes.upstream,))
        served = Served(
            [
                ServedModel("m", "chat", "测试", route),
                ServedModel("e", "embedding", "测试", route),
            ],
            [
                ServedModel("chat", "chat", "测试", route),
                ServedModel("embed", "embedding", "测试", route),
            ],
        )
        grading = Grading(LocalSessions())
        return Governed(
            GovernedParts(served, grading, self.limits, self.trail, self.routes, self.metrics)
        )


def asked(caller: Caller = CALLER, path: str = "chat/completions", **given: Any) -> Asked:
    """A request with `given` in its body."""
    body = {"model": "chat", "messages": [{"role": "user", "content": QUESTION}], **given}
    if path == "embeddings":
        body = {"model": "embed", "input": QUESTION, **given}
    kind = "embedding" if path == "embeddings" else "chat"
    return Asked(caller, path, orjson.dumps(body), "request-1", kind, f"/v1/{path}", "1")


def delta(text: str, **more: Any) -> bytes:
    """One event of a stream."""
    choices = [{"index": 0, "delta": {"content": text}}]
    return b"data: " + orjson.dumps({"choices": choices, **more}) + b"\n\n"


USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
USAGE_EVENT = b"data: " + orjson.dumps({"choices": [], "usage": USAGE}) + b"\n\n"
DONE = b"data: [DONE]\n\n"
STREAM = (delta("居住"), delta("证"), delta("十五日"), USAGE_EVENT, DONE)
WHOLE = orjson.dumps({"choices": [{"index": 0, "message": {"content": "十五日"}}], "usage": USAGE})
