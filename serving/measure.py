"""`zhengwu bench pool`: what the way through Ray Serve costs over the bare engine.

The same weights, settings and client on both sides; requests alternate, each prompt is new to
both, and the difference is taken prompt by prompt. Knows no model but the one it is given.
"""

import asyncio
import itertools
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from pydantic import BaseModel, ConfigDict

from zhengwu.models.client import ChatClient
from zhengwu.models.egress import Egress
from zhengwu.models.errors import UpstreamFailed
from zhengwu.models.router import Router
from zhengwu.models.upstream import Upstream
from zhengwu.models.wire import ChatRequest, Message
from zhengwu.serving.engines.llamacpp_on_ray import start_engine
from zhengwu.serving.errors import EngineError
from zhengwu.serving.lone_pool import lone_pool
from zhengwu.serving.processes import die_with_parent
from zhengwu.serving.spec import DeploymentSpec

BARE, RAY = "bare", "ray"
TOPICS = ("失业保险", "居住证", "公积金", "医保报销", "不动产登记", "养老金", "驾驶证", "营业执照")
GRADE = 1
KEY = "ZW_BARE_KEY"
"""Environment variable with the key of the bare engine."""


@dataclass(frozen=True)
class Answer:
    """One streamed answer, timed."""

    first_ms: float
    total_ms: float
    tokens: int


class Side(BaseModel):
    """One way at one number of streams."""

    model_config = ConfigDict(frozen=True)

    first_token_ms: float
    """Median time to first token."""
    tokens_per_s: float


class Load(BaseModel):
    """Both ways at one number of streams. `added` is the median of the pairs' differences."""

    model_config = ConfigDict(frozen=True)

    streams: int
    rounds: int
    bare: Side
    ray: Side
    added_first_token_ms: float


class RayPath(BaseModel):
    """What was measured, of which model."""

    model_config = ConfigDict(frozen=True)

    model: str
    loads: tuple[Load, ...]


def measure_ray_path(
    spec: DeploymentSpec, rounds: int, streams: Sequence[int], tokens: int
) -> RayPath:
    """Start the bare engine here and the pool beside it, ask both in turn, stop both.

    Raises:
        ServingError: one of them did not start.
        ModelError: one of them did not answer.
    """
    key = secrets.token_hex(16)
    with bare_engine(spec, key) as address, lone_pool((spec,)) as pool:
        ways = {
            BARE: Upstream(BARE, f"{address}/v1", spec.model, KEY),
            RAY: Upstream(RAY, f"http://127.0.0.1:{pool.http_port}/{spec.model}/v1", spec.model),
        }
        return asyncio.run(_measure(ways, key, spec.model, rounds, streams, tokens))


@contextmanager
def bare_engine(spec: DeploymentSpec, key: str) -> Generator[str]:
    """The address of the engine alone, in a process and session of its own as the pool is.

    Raises:
        EngineError: it did not start; its own message is on standard error.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "zhengwu.serving.measure", spec.model_dump_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, KEY: key},
        start_new_session=True,
        preexec_fn=die_with_parent(signal.SIGKILL),
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        address = process.stdout.readline().decode().strip()
        if not address:
            raise EngineError(f"直连引擎没有启动（模型 {spec.model}），原因见上。")
        yield address
    finally:
        process.stdin.close()
        process.kill()
        process.wait()


async def _measure(
    ways: dict[str, Upstream],
    key: str,
    model: str,
    rounds: int,
    streams: Sequence[int],
    tokens: int,
) -> RayPath:
    async with Egress(keys={KEY: key}) as egress:
        routes = {name: (upstream,) for name, upstream in ways.items()}
        bench = _Bench(ChatClient(Router(routes, egress)), tokens)
        for way in (BARE, RAY) * 3:
            await bench.ask(way, bench.prompt())
        loads = [await bench.load(number, rounds) for number in streams]
    return RayPath(model=model, loads=tuple(loads))


class _Bench:
    """Asks, and keeps time."""

    def __init__(self, chat: ChatClient, tokens: int) -> None:
        self._chat, self._tokens = chat, tokens
        self._numbers = itertools.count(1)

    def prompt(self) -> str:
        """A prompt that no engine has seen."""
        number = next(self._numbers)
        return f"{number}号窗口，{TOPICS[number % len(TOPICS)]}怎么办理？"

    async def ask(self, way: str, prompt: str) -> Answer:
        """One answer by one way."""
        request = ChatRequest(
            model=way,
            messages=(Message(role="user", content=prompt),),
            temperature=0,
            max_tokens=self._tokens,
        )
        start, first, tokens = time.perf_counter(), None, 0
        async for delta in self._chat.stream(request, GRADE):
            if delta.text:
                first = first or time.perf_counter()
                tokens += 1
        if first is None:
            raise UpstreamFailed(f"{way} 的回答是空的，无法测量")
        end = time.perf_counter()
        return Answer((first - start) * 1e3, (end - start) * 1e3, tokens)

    async def load(self, streams: int, rounds: int) -> Load:
        """`rounds` rounds of `streams` requests at a time, each by both ways in turn."""
        found: dict[str, list[Answer]] = {BARE: [], RAY: []}
        seconds = {BARE: 0.0, RAY: 0.0}
        for number in range(rounds):
            prompts = [self.prompt() for _ in range(streams)]
            for way in (BARE, RAY) if number % 2 else (RAY, BARE):
                start = time.perf_counter()
                found[way] += await asyncio.gather(*(self.ask(way, one) for one in prompts))
                seconds[way] += time.perf_counter() - start
                await asyncio.sleep(0.05)  # the engine's threads go to rest
        pairs = zip(found[RAY], found[BARE], strict=True)
        return Load(
            streams=streams,
            rounds=rounds,
            bare=_side(found[BARE], seconds[BARE]),
            ray=_side(found[RAY], seconds[RAY]),
            added_first_token_ms=round(median(r.first_ms - b.first_ms for r, b in pairs), 2),
        )


def _side(answers: Sequence[Answer], seconds: float) -> Side:
    return Side(
        first_token_ms=round(median(answer.first_ms for answer in answers), 2),
        tokens_per_s=round(sum(answer.tokens for answer in answers) / seconds, 1),
    )


def main() -> None:
    """The process of `bare_engine`: the engine until standard input ends."""
    engine = start_engine(DeploymentSpec.model_validate_json(sys.argv[1]), os.environ[KEY])
    print(engine.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
