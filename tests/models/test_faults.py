"""Every way an upstream can fail, over real sockets: rerouted before the answer, told after it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from time import monotonic

import orjson
import pytest
from tests.models import faults
from tests.models.faults import DONE, MESSAGE, Answer, Seen, delta, error, event, raw

from zhengwu.models.assemble import Routing, assemble
from zhengwu.models.attempts import Attempts
from zhengwu.models.egress import Egress
from zhengwu.models.errors import (
    ContentRefused,
    ContextOverflow,
    DeadlinePassed,
    NoUpstream,
    UpstreamCut,
    UpstreamError,
    UpstreamFailed,
)
from zhengwu.models.route import Route, Waits
from zhengwu.models.upstream import Call, Upstream

WAITS = Waits(first_byte_s=0.3, silence_s=0.4)
BODY = {"model": "chat", "messages": [{"role": "user", "content": "你好"}]}


@dataclass
class Bench:
    """A route over a failing upstream and a good one."""

    routing: Routing
    bad: Seen
    good: Seen

    async def ask(self, stream: bool, **terms: object) -> tuple[bytes, Attempts]:
        body = orjson.dumps({**BODY, "stream": stream})
        call = replace(Call("chat/completions", body, 3, stream), **terms)  # pyright: ignore
        try:
            async with self.routing.routes.open("chat", call) as reply:
                return b"".join([block async for block in reply.chunks()]), call.attempts
        except UpstreamError as failure:
            failure.add_note(" ".join(each.outcome for each in call.attempts.all))
            raise


@asynccontextmanager
async def bench(bad: Answer | None, waits: Waits = WAITS, alone: bool = False):
    async with AsyncExitStack() as stack:
        failing = Seen(port=faults.closed_port())
        if bad is not None:
            failing = await stack.enter_async_context(faults.upstream(bad))
        working = await stack.enter_async_context(faults.upstream(faults.good))
        egress = await stack.enter_async_context(Egress())
        ups = (Upstream("坏", failing.url, "bad"), Upstream("好", working.url, "good"))
        routing = assemble({"chat": Route(ups[:1] if alone else ups, waits=waits)}, egress)
        yield Bench(routing, failing, working)


MALFORMED = raw(200, b'{"choices": [{"mess', "Content-Type: application/json")
EITHER: dict[str, tuple[Answer | None, str]] = {
    "refused": (None, "upstream_down"),
    "reset": (faults.reset, "upstream_down"),
    "slow headers": (faults.silent, "upstream_slow"),
    "429 with retry-after": (error(429, "慢一点", "", "Retry-After: 7"), "upstream_limited"),
    "500": (error(500, "oops"), "upstream_failed"),
    "503": (error(503, "busy", "", "Retry-After: 1"), "upstream_failed"),
    "401": (error(401, "Incorrect API key: sk-secret"), "upstream_rejects"),
    "404 model": (error(404, "no such model", "model_not_found"), "upstream_rejects"),
    "overflow": (
        error(400, "This model's maximum context length is 4096 tokens."),
        "context_overflow",
    ),
    "wrong type": (raw(200, b"<html>login</html>", "Content-Type: text/html"), "upstream_garbled"),
    "error as success": (error(200, "overloaded", "busy"), "upstream_failed"),
}
WHOLE: dict[str, tuple[Answer, str]] = {
    "malformed": (MALFORMED, "upstream_garbled"),
    "empty": (raw(200, b"", "Content-Type: application/json"), "upstream_cut"),
    "truncated": (
        raw(200, b'{"choices"', "Content-Type: application/json", length=900),
        "upstream_cut",
    ),
}
STREAMED: dict[str, tuple[Answer, str]] = {
    "empty stream": (faults.stream(), "upstream_cut"),
    "only comments": (faults.stream(b": keep-alive\n\n"), "upstream_cut"),
    "only the end": (faults.stream(DONE), "upstream_cut"),
    "first event malformed": (faults.stream(b'data: {"choices": [\n\n'), "upstream_garbled"),
    "first event an error": (
        faults.stream(event({"error": {"message": "OOM"}})),
        "upstream_failed",
    ),
    "truncated before one event": (faults.stream(b'data: {"cho'), "upstream_cut"),
    "reset before one event": (faults.stream(b": hi\n\n", reset=True), "upstream_cut"),
}
CASES = [
    *((name, *case, stream) for name, case in EITHER.items() for stream in (False, True)),
    *((name, *case, False) for name, case in WHOLE.items()),
    *((name, *case, True) for name, case in STREAMED.items()),
]


@pytest.mark.parametrize(("name", "bad", "outcome", "stream"), CASES, ids=lambda v: str(v)[:24])
async def test_rerouted_before_the_answer(
    name: str, bad: Answer | None, outcome: str, stream: bool
) -> None:
    async with bench(bad) as at:
        answer, attempts = await at.ask(stream)
        assert [(a.upstream, a.outcome) for a in attempts.all] == [("坏", outcome), ("好", "ok")]
        assert all("secret" not in a.why for a in attempts.all)
        assert answer.count(b'"prompt_tokens"') == 1  # what may be charged is there once
        assert orjson.loads(at.good.bodies[0])["model"] == "good"
        assert attempts.answered and attempts.answered.name == "好"


CUTS: dict[str, tuple[Answer, type[UpstreamError]]] = {
    "truncated": (faults.stream(delta("好")), UpstreamCut),
    "reset": (faults.stream(delta("好"), pause_s=0.05, reset=True), UpstreamCut),
    "silence": (faults.stream(delta("好"), hang=True), UpstreamCut),
    "half an event": (faults.stream(delta("好"), b'data: {"choices": [{"del'), UpstreamCut),
    "an error event": (
        faults.stream(delta("好"), event({"error": {"message": "OOM"}}), DONE),
        UpstreamFailed,
    ),
    "an error event in two pieces": (
        faults.stream(delta("好"), b'data: {"err', b'or": "OOM"}\n\n', DONE, pause_s=0.03),
        UpstreamFailed,
    ),
}


@pytest.mark.parametrize("name", CUTS)
async def test_a_cut_stream_is_never_a_success(name: str) -> None:
    bad, kind = CUTS[name]
    async with bench(bad) as at:
        with pytest.raises(kind) as caught:
            await at.ask(stream=True)
        assert caught.value.__notes__ == [kind.code]  # the trace has one try, and it failed
        assert not at.good.bodies  # something had been said already


async def test_a_slow_stream_that_goes_on_is_no_fault() -> None:
    slow = faults.stream(b": hi\n\n", delta("好"), delta("的"), DONE, pause_s=0.1)
    async with bench(slow) as at:
        answer, attempts = await at.ask(stream=True)
        assert answer.endswith(DONE)
        assert [a.outcome for a in attempts.all] == ["ok"]


async def test_a_reader_who_leaves_is_no_fault() -> None:
    async with bench(faults.stream(delta("好"), hang=True)) as at:
        call = Call("chat/completions", orjson.dumps({**BODY, "stream": True}), 1, True)
        async with at.routing.routes.open("chat", call) as reply:
            assert await anext(reply.chunks())
        assert [a.outcome for a in call.attempts.all] == ["left"]
        assert at.routing.breakers.states == {"坏": "closed"}


async def test_a_burst_of_failures_opens_the_breaker_and_a_probe_closes_it() -> None:
    answers = iter([error(500, "oops")] * 4)

    async def mending(r: asyncio.StreamReader, w: asyncio.StreamWriter, seen: Seen) -> None:
        await next(answers, faults.good)(r, w, seen)

    async with bench(mending) as at:
        for _ in range(8):
            await at.ask(stream=False)
        assert at.routing.breakers.states["坏"] == "open"
        assert len(at.bad.bodies) == 4  # it was left alone after that
        _, attempts = await at.ask(stream=False)
        assert [a.outcome for a in attempts.all] == ["upstream_resting", "ok"]
        until = monotonic() + 5
        while at.routing.breakers.states["坏"] == "open" and monotonic() < until:
            await asyncio.sleep(0.02)
        _, attempts = await at.ask(stream=False)
        assert [a.upstream for a in attempts.all] == ["坏"]
        assert at.routing.breakers.states["坏"] == "closed"


async def test_retry_after_is_kept_to() -> None:
    async with bench(error(429, "slow", "", "Retry-After: 30"), alone=True) as at:
        with pytest.raises(UpstreamFailed) as limited:
            await at.ask(stream=False)
        assert (limited.value.status, limited.value.wait_s) == (429, 30)
        with pytest.raises(UpstreamError) as resting:
            await at.ask(stream=False)
        assert resting.value.code == "upstream_resting"
        assert resting.value.wait_s and 25 < resting.value.wait_s <= 30
        assert len(at.bad.bodies) == 1


async def test_a_date_is_read_by_the_upstreams_own_clock() -> None:
    """Its clock is years behind; what counts is the time between its two dates."""
    skewed = ("Date: Wed, 01 Jan 2020 00:00:00 GMT", "Retry-After: Wed, 01 Jan 2020 00:00:20 GMT")
    async with bench(error(429, "slow", "", *skewed), alone=True) as at:
        with pytest.raises(UpstreamFailed) as limited:
            await at.ask(stream=False)
        assert limited.value.wait_s == 20


async def test_our_own_fault_is_logged_without_the_key_and_rests_longer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with bench(error(401, "Incorrect API key provided: sk-abcdef")) as at:
        await at.ask(stream=False)
        assert at.routing.breakers.states["坏"] == "open"
    logged = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(logged) == 1 and "坏" in logged[0] and "sk-" not in caplog.text


async def test_the_last_upstream_gets_all_the_time_it_needs() -> None:
    async def slow(r: asyncio.StreamReader, w: asyncio.StreamWriter, seen: Seen) -> None:
        await asyncio.sleep(0.5)
        await faults.good(r, w, seen)

    async with bench(slow, replace(WAITS, silence_s=None), alone=True) as at:
        assert orjson.loads((await at.ask(stream=False))[0]) == MESSAGE


async def test_a_deadline() -> None:
    async with bench(faults.silent) as at:
        with pytest.raises(DeadlinePassed) as caught:
            await at.ask(stream=False, deadline=monotonic() - 1)
        assert not hasattr(caught.value, "__notes__") or caught.value.__notes__ == [""]
        assert not at.bad.bodies and not at.good.bodies  # not sent at all
        with pytest.raises(DeadlinePassed):
            await at.ask(stream=False, deadline=monotonic() + 0.1)
        assert len(at.bad.bodies) == 1 and not at.good.bodies


async def test_what_a_content_check_refuses_is_not_tried_elsewhere() -> None:
    async with bench(error(400, "unsafe", "content_filter")) as at:
        with pytest.raises(ContentRefused):
            await at.ask(stream=False)
        assert not at.good.bodies


async def test_a_callers_mistake_passes_with_its_body() -> None:
    async with bench(error(400, "bad schema", "invalid_request_error")) as at:
        answer, attempts = await at.ask(stream=False)
        assert orjson.loads(answer)["error"]["message"] == "bad schema"
        assert [a.outcome for a in attempts.all] == ["upstream_failed"]
        assert not at.good.bodies


@asynccontextmanager
async def two_routes(short: Answer, context: int | None) -> AsyncGenerator[Bench]:
    async with AsyncExitStack() as stack:
        small = await stack.enter_async_context(faults.upstream(short))
        large = await stack.enter_async_context(faults.upstream(faults.good))
        egress = await stack.enter_async_context(Egress())
        one = Upstream("短", small.url, "short", context_tokens=context)
        two = Upstream("长", large.url, "long", context_tokens=100_000)
        routes = {"chat": Route((one,), overflow=("long",)), "long": Route((two,))}
        yield Bench(assemble(routes, egress), small, large)


async def test_a_request_that_is_too_long_goes_to_a_longer_context() -> None:
    async with two_routes(error(400, "too long", "context_length_exceeded"), None) as at:
        _, attempts = await at.ask(stream=True)
        assert [a.outcome for a in attempts.all] == ["context_overflow", "ok"]
    async with two_routes(faults.good, 4096) as at:
        _, attempts = await at.ask(stream=True, tokens=5000)
        assert [(a.upstream, a.outcome) for a in attempts.all] == [
            ("短", "context_overflow"),
            ("长", "ok"),
        ]
        assert not at.bad.bodies  # the card was enough to know


async def test_too_long_for_all_is_the_callers_fault() -> None:
    overflow = error(400, "maximum context length is 10", "")
    async with bench(overflow, alone=True) as at:
        with pytest.raises(ContextOverflow) as caught:
            await at.ask(stream=False)
        assert caught.value.status == 400


async def test_when_all_fail_each_is_listed() -> None:
    async with AsyncExitStack() as stack:
        seen = [await stack.enter_async_context(faults.upstream(error(500, "x"))) for _ in "ab"]
        egress = await stack.enter_async_context(Egress())
        ups = tuple(Upstream(f"上{n}", each.url, "m") for n, each in enumerate(seen))
        routing = assemble({"chat": Route(ups)}, egress)
        with pytest.raises(NoUpstream, match=r"上0.*上1"):
            await Bench(routing, *seen).ask(stream=False)
