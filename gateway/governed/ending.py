"""How a request ended, what it took, and the two records of it. Decides; writes nothing."""

import asyncio
import hashlib
import time
from dataclasses import dataclass

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.errors import INTERNAL_CODE, from_error
from zhengwu.gateway.governed import estimate
from zhengwu.gateway.governed.asked import Passage
from zhengwu.gateway.governed.ports import Intent, Outcome, Spent
from zhengwu.models.upstream import Upstream

DONE, CUT, LEFT, REFUSED, FAILED = "done", "cut", "left", "refused", "failed"
NOBODY_READS = 499


@dataclass(frozen=True)
class End:
    """How a request ended: one of the outcomes of `ports.Outcome`, the HTTP status, a code."""

    outcome: str
    status: int = 200
    code: str = ""


def end_of_reading(passage: Passage) -> End:
    """The end of a request whose answer was let go without an error: read to its end or not."""
    meter = passage.meter
    if meter.error:
        return End(CUT, code="upstream_failed")
    return End(DONE) if meter.done else End(LEFT, NOBODY_READS)


def end_by(error: BaseException, passage: Passage) -> End:
    """The end of a request that `error` ended."""
    if isinstance(error, ZhengwuError):
        status = from_error(error).status
        if passage.meter.began_answering:
            return End(CUT, 200, error.code)
        refused = status < 500 and not passage.attempts.sent
        return End(REFUSED if refused else FAILED, status, error.code)
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return end_of_reading(passage)
    return End(CUT if passage.meter.began_answering else FAILED, 500, INTERNAL_CODE)


def spent_by(passage: Passage) -> Spent:
    """What it took: as the upstream counted, or else by what went by. Nothing without an answer."""
    meter = passage.meter
    if not meter.began_answering:
        return Spent()
    tokens_in = passage.ask.input_tokens if meter.input is None else meter.input
    tokens_out = meter.deltas if meter.output is None else meter.output
    if passage.asked.path in estimate.NO_OUTPUT:
        tokens_out = 0
    answered = passage.attempts.answered
    price = answered.price if isinstance(answered, Upstream) else None
    return Spent(tokens_in, tokens_out, estimate.cost_of(price, tokens_in, tokens_out))


def intent_of(passage: Passage) -> Intent:
    """What is written down before an upstream is called, or when it is refused before."""
    asked = passage.asked
    return Intent(
        request_id=asked.request_id,
        caller=asked.caller,
        route=asked.route,
        model=passage.name,
        grade=passage.grade,
        grade_reason=passage.graded.reason if passage.graded else "",
        input_digest=hashlib.new("sm3", asked.body).hexdigest(),
        reserved=passage.ask,
        stream=passage.stream,
        started=passage.started,
        text=asked.body.decode(errors="replace") if asked.caller.keep_text else None,
    )


def outcome_of(passage: Passage, end: End, spent: Spent) -> Outcome:
    """What is written down when it is over."""
    meter = passage.meter
    answered = passage.attempts.answered
    return Outcome(
        request_id=passage.asked.request_id,
        status=end.status,
        outcome=end.outcome,
        code=end.code,
        attempts=passage.attempts.all,
        upstream=answered.name if answered else "",
        spent=spent,
        output_digest=meter.digest,
        first_token_ms=None if meter.first_s is None else meter.first_s * 1000,
        total_ms=(time.perf_counter() - passage.began) * 1000,
    )
