"""The gateway's bench: its bodies, its load generator, and one small run of everything."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

import orjson
import pytest

from zhengwu.eval.bench.gateway.bodies import CHARACTERS, bodies, questions
from zhengwu.eval.bench.gateway.load import Plan, is_whole, steady, streams
from zhengwu.eval.bench.gateway.measure import Options, bench
from zhengwu.eval.bench.gateway.processes import free_port, started
from zhengwu.eval.bench.gateway.upstream import HEAD, TOKEN, Answers
from zhengwu.eval.errors import BenchFailed
from zhengwu.pii.detect import detect


def test_questions_are_distinct_ordinary_and_of_one_length() -> None:
    texts = [text for seed in range(20) for text in islice(questions(seed), 200)]
    assert len(set(texts)) == len(texts)
    assert {len(text) for text in texts} == {CHARACTERS}
    assert sum(bool(detect(text)) for text in texts) <= len(texts) * 0.02
    body = orjson.loads(next(bodies("chat", 1, 10)))
    assert body["stream"] and body["max_tokens"] == 10


def test_where_an_answer_ends() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    assert not is_whole(head[:-1]) and not is_whole(head + b"o") and is_whole(head + b"ok")
    assert not is_whole(HEAD + TOKEN) and is_whole(HEAD + TOKEN + b"0\r\n\r\n")


@asynccontextmanager
async def listening(protocol: type[asyncio.Protocol], *given: float) -> AsyncGenerator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol(*given), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_the_load_generator_counts_what_is_answered() -> None:
    async with listening(Answers, 0.01) as port:
        counted = await steady(Plan(port, clients=4, requests=40))
        assert counted.answered == counted.sent >= 40 and not counted.failed
        plan = Plan(port, streams=5, tokens=6, ramp_s=0.01, reference=2, reference_port=port)
        counted = await streams(plan)
        assert (counted.sent, counted.answered, counted.dropped) == (5, 5, 0)
        assert counted.p99_ms > 0 and counted.reference_p99_ms > 0


class Cuts(asyncio.Protocol):
    """Ends every answer in the middle."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(HEAD + TOKEN)  # type: ignore[attr-defined]  # pyright: ignore
        self._transport.close()


async def test_what_breaks_off_is_counted_as_failed() -> None:
    async with listening(Cuts) as port:
        counted = await steady(Plan(port, clients=1, requests=3))
        assert (counted.answered, counted.failed) == (0, 3)
        counted = await streams(Plan(port, streams=3, tokens=6, ramp_s=0.01))
        assert counted.dropped == 3 and "1 of 6 tokens" in counted.first_failure


def test_a_server_that_does_not_start_is_named_with_its_log(tmp_path: Path) -> None:
    command = ["python", "-c", "import sys; sys.exit('no such model')"]
    with pytest.raises(BenchFailed, match="no such model"):
        with started("peer", command, free_port(), {0}, tmp_path / "peer.log"):
            pass


def test_a_small_run_of_everything() -> None:
    told: list[str] = []
    options = Options(0.2, 4, 1, streams=5, stream_seconds=1.0, requests=50)
    figures = bench(options, told.append)
    for name in ("direct", "bare", "ours"):
        assert figures[name]["p50_ms"] > 0 and figures[name]["requests_per_s"] > 0
    assert figures["litellm"] is None and figures["ratio_to_litellm"] is None
    assert figures["ratio_to_bare"] > 0
    assert (figures["streams"]["n"], figures["streams"]["dropped"]) == (5, 0)
    assert figures["memory"]["requests"] >= 50
    rows = figures["audit_rows"]
    assert rows["rows"] == rows["sent"] == rows["by_outcome"]["done"] and rows["verified"]
    assert any("ours" in line for line in told)
