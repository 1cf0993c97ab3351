"""The one path of every request to a model, from the caller to the record of what it took.

Whoever calls was authenticated before. Then `STEPS`, in order: each raises, or adds to what is
known. Then the route is opened and the answer relayed past a meter. However it ends, the request
is settled once and completed once. Knows the order; the rules of a step are its own module's.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, cast

import orjson

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.errors import ModelNotAllowed
from zhengwu.gateway.governed import estimate
from zhengwu.gateway.governed.asked import Asked, Passage
from zhengwu.gateway.governed.body import Fields, read_body
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.ending import (
    LEFT,
    End,
    end_by,
    end_of_reading,
    intent_of,
    outcome_of,
    spent_by,
)
from zhengwu.gateway.governed.grade import Graded
from zhengwu.gateway.governed.meter import Meter
from zhengwu.gateway.governed.ports import Ask, Limits, Spent, Trail
from zhengwu.gateway.governed.relay import Relayed, must_be_ok
from zhengwu.gateway.served import Served
from zhengwu.models.upstream import Call, Routes
from zhengwu.tracing import span

LOG = logging.getLogger("zhengwu.gateway")
STREAMING = frozenset({"chat/completions", "completions"})


class Grades(Protocol):
    """Tells the grade of a request. `Grading` is the real one."""

    async def grade_request(
        self,
        caller: Caller,
        declared: str | None,
        body: object,
        session: str | None = None,
        knowledge: int = 1,
    ) -> Graded:
        """Grade one request; refuse what no model may have."""
        ...


class Watches(Protocol):
    """Counts what goes by. `Metrics` is the real one."""

    def between(self, model: str) -> Callable[[float], None]:
        """What is told the seconds between two pieces of a stream."""
        ...

    def ended(self, passage: Passage, end: End, spent: Spent) -> None:
        """A request has ended."""
        ...


@dataclass(frozen=True)
class GovernedParts:
    """What the path stands on."""

    served: Served
    grades: Grades
    limits: Limits
    trail: Trail
    routes: Routes
    watches: Watches


async def read(parts: GovernedParts, passage: Passage) -> None:
    """Parse the body, once, and check what the path relies on."""
    asked = passage.asked
    passage.fields = read_body(asked.path, asked.body)
    passage.stream = asked.path in STREAMING and bool(passage.fields.get("stream"))


async def resolve(parts: GovernedParts, passage: Passage) -> None:
    """Find the model, and whether the caller may ask for it."""
    name: str = passage.fields["model"]
    model = parts.served.get(name, passage.asked.kind)
    allowed = passage.asked.caller.models
    if allowed is not None and model.name not in allowed:
        told = "、".join(sorted(allowed)) or "（无）"
        raise ModelNotAllowed(f"密钥不可使用模型“{name[:80]}”，可用：{told}。可请管理员开通。")
    passage.model = model


async def grade(parts: GovernedParts, passage: Passage) -> None:
    """Grade everything it holds; from here on placeholders may stand for values."""
    asked = passage.asked
    passage.graded = await parts.grades.grade_request(
        asked.caller, asked.declared, passage.fields, asked.session, asked.knowledge
    )


async def estimate_most(parts: GovernedParts, passage: Passage) -> None:
    """What it may take at most, in tokens and at the dearest upstream's price."""
    assert passage.model is not None, "resolved before"
    upstreams = parts.served.reach(passage.model)
    context = max((u.context_tokens or 0 for u in upstreams), default=0) or None
    tokens_in = estimate.input_tokens(passage.fields)
    tokens_out = estimate.output_tokens(passage.asked.path, passage.fields, context)
    cost = estimate.dearest((u.price for u in upstreams), tokens_in, tokens_out)
    passage.ask = Ask(passage.asked.request_id, passage.name, tokens_in, tokens_out, cost)


async def reserve(parts: GovernedParts, passage: Passage) -> None:
    """Hold it under every limit of the caller, or under none."""
    passage.reservation = await parts.limits.reserve(passage.asked.caller, passage.ask)


async def intend(parts: GovernedParts, passage: Passage) -> None:
    """Write down what is going to be done."""
    parts.trail.intend(intent_of(passage))
    passage.intended = True


async def address(parts: GovernedParts, passage: Passage) -> None:
    """Make the call. A stream is asked for its usage even where the client did not ask."""
    asked, graded = passage.asked, passage.graded
    assert graded is not None, "graded before"
    # What was graded is what is sent, byte by byte: a key written twice hides nothing.
    fields = cast(Fields, graded.body)
    if passage.stream:
        options = fields.get("stream_options") or {}
        hidden = not options.get("include_usage")
        passage.meter = Meter(passage.began, hidden, parts.watches.between(passage.name))
        if hidden:
            fields = {**fields, "stream_options": {**options, "include_usage": True}}
    passage.call = Call(
        path=asked.path,
        body=orjson.dumps(fields),
        grade=graded.grade,
        stream=passage.stream,
        headers=asked.headers,
        fields=fields,
        tenant=asked.caller.tenant_id or asked.caller.key_id,
        priority=asked.caller.priority,
        deadline=time.monotonic() + asked.deadline_s if asked.deadline_s else None,
        tokens=passage.ask.input_tokens + passage.ask.output_tokens,
        affinity=estimate.affinity_of(fields),
        attempts=passage.attempts,
    )


STEPS: tuple[Callable[[GovernedParts, Passage], Awaitable[None]], ...] = (
    read,
    resolve,
    grade,
    estimate_most,
    reserve,
    intend,
    address,
)


class Governed:
    """Opens requests to models. One for the whole gateway."""

    def __init__(self, parts: GovernedParts) -> None:
        self._parts = parts

    @property
    def served(self) -> Served:
        """The models that may be asked for."""
        return self._parts.served

    @asynccontextmanager
    async def open(self, asked: Asked) -> AsyncGenerator[Relayed]:
        """Take `asked` along the path; leaving the context ends it at the upstream.

        Raises:
            ZhengwuError: it was refused, or no upstream answered. While reading: `UpstreamCut`.
        """
        passage, end = Passage(asked), End(LEFT)
        try:
            for step in STEPS:
                with span(step.__name__):
                    await step(self._parts, passage)
            assert passage.call is not None, "the last step makes it"
            async with self._parts.routes.open(passage.fields["model"], passage.call) as reply:
                await must_be_ok(passage.name, reply)
                yield Relayed(reply, passage)
                end = end_of_reading(passage)
        except BaseException as error:
            end = end_by(error, passage)
            raise
        finally:
            await _in_any_case(self._finish(passage, end))

    async def _finish(self, passage: Passage, end: End) -> None:
        """Settle and complete. What fails here is told to the operator: the answer is given."""
        spent = spent_by(passage)
        try:
            if passage.reservation is not None:
                await passage.reservation.settle(spent)
        except ZhengwuError as error:
            LOG.error("request %s is not settled: %s", passage.asked.request_id, error.code)
        finally:
            self._complete(passage, end, spent)

    def _complete(self, passage: Passage, end: End, spent: Spent) -> None:
        self._parts.watches.ended(passage, end, spent)
        try:
            if not passage.intended:
                self._parts.trail.intend(intent_of(passage))
            self._parts.trail.complete(outcome_of(passage, end, spent))
        except ZhengwuError as error:
            LOG.error("request %s is not recorded: %s", passage.asked.request_id, error.code)


async def _in_any_case(work: Awaitable[None]) -> None:
    """Wait for `work` to its end, however often this task is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()
