"""The load generator: a process of its own, bare asyncio protocols, loopback only.

`python -m zhengwu.eval.bench.gateway.load '{…}'` prints what it measured as one JSON object. It
checks of each answer that it is a 200 and whole; a stream also that no token is missing.
"""

import asyncio
import sys
import time
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import cast

import orjson
import uvloop

from zhengwu.eval.bench.gateway.bodies import bodies


@dataclass(frozen=True)
class Plan:
    """What to send where. `streams` over 0: that many at once, `tokens` each, once.

    Otherwise `clients` that ask again and again, for `seconds` or until `requests` are answered.
    """

    port: int
    key: str = ""
    model: str = "chat"
    clients: int = 1
    seconds: float = 0.0
    requests: int = 0
    streams: int = 0
    tokens: int = 0
    reference: int = 0
    """So many of the streams go to `reference_port` instead, and are measured apart."""
    reference_port: int = 0
    ramp_s: float = 5.0
    seed: int = 1
    path: str = "/v1/chat/completions"

    def head(self) -> bytes:
        """What stands before every body; its length is appended."""
        lines = [f"POST {self.path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
        lines += ["x-data-grade: 1", f"authorization: Bearer {self.key}", "content-length: "]
        return "\r\n".join(lines).encode()


@dataclass
class Counted:
    """What was measured. Latencies and gaps in milliseconds."""

    sent: int = 0
    answered: int = 0
    failed: int = 0
    seconds: float = 0.0
    first_failure: str = ""
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    longest_ms: float = 0.0
    dropped: int = 0
    reference_p99_ms: float = 0.0


def percentiles(counted: Counted, milliseconds: "array[float]") -> Counted:
    """`counted` with the percentiles of what was measured."""
    if milliseconds:
        ordered = sorted(milliseconds)
        last = len(ordered) - 1
        counted.p50_ms, counted.p95_ms, counted.p99_ms, counted.longest_ms = (
            round(ordered[min(last, int(len(ordered) * q))], 3) for q in (0.5, 0.95, 0.99, 1.0)
        )
    return counted


class Asks(asyncio.Protocol):
    """One connection that sends one request and tells when its answer is whole."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._got = b""
        self._whole: asyncio.Future[bytes] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop has its own

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer that was awaited will not come."""
        self.transport = None
        if self._whole and not self._whole.done():
            self._whole.set_exception(ConnectionResetError("closed before the answer was whole"))

    def ask(self, request: bytes) -> "asyncio.Future[bytes]":
        """Send `request`; the answer, head and body."""
        if self.transport is None:
            raise ConnectionResetError("closed")
        self._whole = self._loop.create_future()
        self.transport.write(request)
        return self._whole

    def data_received(self, data: bytes) -> None:
        """Gather until the answer is whole."""
        self._got = self._got + data if self._got else data
        if self._whole and is_whole(self._got) and not self._whole.done():
            got, self._got = self._got, b""
            self._whole.set_result(got)


def is_whole(answer: bytes) -> bool:
    """Whether an HTTP/1.1 answer has reached its end."""
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    small = answer[:head].lower()
    at = small.find(b"content-length:")
    if at >= 0:
        return len(answer) >= head + 4 + int(small[at + 15 :].split(b"\r\n", 1)[0])
    return answer.endswith(b"0\r\n\r\n")


async def steady(plan: Plan) -> Counted:
    """`clients` that each ask the next question when the last is answered."""
    loop = asyncio.get_running_loop()
    counted, taken = Counted(), array("d")
    ends = time.perf_counter() + plan.seconds if plan.seconds else float("inf")

    async def client(texts: Iterator[bytes]) -> None:
        connection = await _connect(loop, plan.port)
        head = plan.head()
        while time.perf_counter() < ends and not 0 < plan.requests <= counted.sent:
            body = next(texts)
            counted.sent += 1
            began = time.perf_counter()
            try:
                answer = await connection.ask(head + b"%d\r\n\r\n" % len(body) + body)
            except ConnectionResetError:
                _fail(counted, "connection reset")
                connection = await _connect(loop, plan.port)
                continue
            taken.append((time.perf_counter() - began) * 1000)
            if answer.startswith(b"HTTP/1.1 200"):
                counted.answered += 1
            else:
                _fail(counted, answer[:400].decode(errors="replace"))

    began = time.perf_counter()
    texts = [bodies(plan.model, plan.seed * 1000 + at) for at in range(plan.clients)]
    await asyncio.gather(*(client(each) for each in texts))
    counted.seconds = time.perf_counter() - began
    return percentiles(counted, taken)


class Streams(asyncio.Protocol):
    """One stream: notes the time between tokens."""

    def __init__(self, request: bytes, gaps: "array[float]") -> None:
        self._request, self._gaps = request, gaps
        self._last, self._tail = 0.0, b""
        self.tokens, self.status = 0, b""
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        cast(asyncio.Transport, transport).write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over, whole or not."""
        if not self.ended.done():
            self.ended.set_result(False)

    def data_received(self, data: bytes) -> None:
        """Count the tokens in `data`."""
        now = time.perf_counter()
        self.status = self.status or data[:12]
        tokens = data.count(b'"delta"')
        if tokens:
            if self._last:
                self._gaps.append((now - self._last) * 1000)
            self._last = now
            self.tokens += tokens
        self._tail = (self._tail + data)[-64:]
        if b"[DONE]" in self._tail and not self.ended.done():
            self.ended.set_result(True)


async def streams(plan: Plan) -> Counted:
    """`streams` at once, started evenly over `ramp_s`; those of the reference among them."""
    loop = asyncio.get_running_loop()
    counted, gaps, reference = Counted(), array("d"), array("d")
    texts = bodies(plan.model, plan.seed, plan.tokens)
    began = time.perf_counter()
    together = plan.streams + plan.reference

    async def one(number: int, port: int, into: "array[float]") -> bool:
        await asyncio.sleep(number * plan.ramp_s / together)
        body = next(texts)
        request = plan.head() + b"%d\r\n\r\n" % len(body) + body
        transport, stream = await loop.create_connection(
            lambda: Streams(request, into), "127.0.0.1", port
        )
        whole = await stream.ended
        transport.close()
        if whole and stream.status == b"HTTP/1.1 200" and stream.tokens == plan.tokens:
            return True
        _fail(counted, f"{stream.status!r}, {stream.tokens} of {plan.tokens} tokens")
        return False

    every = together // plan.reference if plan.reference else together + 1
    aside = {number for number in range(every - 1, together, every)}
    ours = [one(n, plan.port, gaps) for n in range(together) if n not in aside]
    others = [one(n, plan.reference_port, reference) for n in sorted(aside)]
    ends = await asyncio.gather(*ours, *others)
    counted.sent, counted.answered = len(ours), sum(ends[: len(ours)])
    counted.dropped = counted.sent - counted.answered
    counted.seconds = time.perf_counter() - began
    counted.reference_p99_ms = percentiles(Counted(), reference).p99_ms
    return percentiles(counted, gaps)


def _fail(counted: Counted, why: str) -> None:
    counted.failed += 1
    counted.first_failure = counted.first_failure or why


async def _connect(loop: asyncio.AbstractEventLoop, port: int) -> Asks:
    _, connection = await loop.create_connection(lambda: Asks(loop), "127.0.0.1", port)
    return connection


if __name__ == "__main__":
    given = Plan(**orjson.loads(sys.argv[1]))
    result = uvloop.run(streams(given) if given.streams else steady(given))
    print(orjson.dumps(asdict(result)).decode())
