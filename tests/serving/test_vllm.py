"""vLLM's CPU build under Ray Serve, from the wheel, with the 0.5B converted from GGUF."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import openai
import psutil
import pytest
from tests.serving import wheel
from tests.serving.conftest import weights
from tests.serving.running import Pool, free_port, ray_folder

from zhengwu.serving.spec import DeploymentSpec, PoolSpec

pytestmark = pytest.mark.vllm

GGUF = "qwen2.5-coder-0.5b-instruct-q4"
MODEL = "qwen2.5-coder-0.5b-instruct"


def ask(text: str) -> Any:
    return [{"role": "user", "content": text}]


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    folder = tmp_path_factory.mktemp("vllm")
    python = wheel.python()
    gguf = weights(GGUF)
    converted = gguf.parents[1] / f"{MODEL}-from-gguf"
    wheel.run("-m", "zhengwu.serving.convert", str(gguf), str(converted), folder=folder)
    spec = PoolSpec(
        deployments=(
            DeploymentSpec(
                model=MODEL,
                engine="vllm",
                weights=converted,
                num_cpus=1,
                max_queued_requests=1,
                context_tokens=1024,
                start_timeout_s=600,
                engine_options={"dtype": "float32", "enforce_eager": True, "cpu_kvcache_gb": 1},
            ),
        ),
        http_port=free_port(),
        ray_port=free_port(),
        num_cpus=1,
        temp_dir=ray_folder(),
    )
    with Pool(spec, folder, python) as running:
        running.wait_ready(600)
        yield running


@pytest.fixture
def client(vllm: Pool) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{vllm.url}/{MODEL}/v1", api_key="none", max_retries=0, timeout=300
    )


def test_an_answer(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL, messages=ask("1+1等于几？只回答数字。"), max_tokens=8, temperature=0
    )
    assert "2" in (answer.choices[0].message.content or "")
    assert answer.model == MODEL


def test_a_stream_comes_while_it_is_written(client: openai.OpenAI) -> None:
    times: list[float] = []
    for chunk in client.chat.completions.create(
        model=MODEL, messages=ask("介绍失业保险。"), max_tokens=24, stream=True
    ):
        if chunk.choices and chunk.choices[0].delta.content:
            times.append(time.monotonic())
    halfway = sum(t < (times[0] + times[-1]) / 2 for t in times)
    assert len(times) > 8 and 0.2 < halfway / len(times) < 0.8


def test_errors_are_the_same_as_of_every_engine(client: openai.OpenAI, vllm: Pool) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="没有的模型", messages=ask("你好"))
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(model=MODEL, messages=ask("政务" * 3000), max_tokens=8)
    assert long.value.code == "context_length_exceeded"
    assert vllm.get(f"/{MODEL}/health") == (200, {"status": "ok"})
    assert vllm.get(f"/{MODEL}/load")[1]["ongoing"] == 0
    assert vllm.get(f"/{MODEL}/v1/models")[1]["data"][0]["id"] == MODEL


async def test_generation_stops_when_the_client_leaves(vllm: Pool) -> None:
    engine = next(
        process
        for process in psutil.Process(vllm.process.pid).children(recursive=True)
        if "EngineCore" in " ".join(process.cmdline()) or "EngineCor" in process.name()
    )
    workers = [engine, *engine.children(recursive=True)]
    body = {"model": MODEL, "messages": ask("写一篇长文章。"), "max_tokens": 900, "stream": True}
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{vllm.url}/{MODEL}/v1/chat/completions", json=body)
        await answer.content.readany()
        assert await busy(workers) > 0.3
        answer.close()
    await asyncio.sleep(1)
    assert await busy(workers) < 0.3
    assert vllm.get(f"/{MODEL}/load")[1]["ongoing"] == 0


async def busy(processes: list[psutil.Process]) -> float:
    """Cores in use over a second and a half."""

    def used() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    before = used()
    await asyncio.sleep(1.5)
    return (used() - before) / 1.5


async def test_a_full_queue_says_when_to_come_back(vllm: Pool) -> None:
    body = {"model": MODEL, "messages": ask("你好"), "max_tokens": 8}

    async def post(session: aiohttp.ClientSession) -> tuple[int, str | None]:
        async with session.post(f"{vllm.url}/{MODEL}/v1/chat/completions", json=body) as answer:
            await answer.read()
            return answer.status, answer.headers.get("Retry-After")

    async with aiohttp.ClientSession() as session:
        answers = await asyncio.gather(*(post(session) for _ in range(5)))
    assert sorted(status for status, _ in answers) == [200] * 3 + [503] * 2
    assert all(int(retry or 0) >= 1 for status, retry in answers if status == 503)


def test_an_error_crosses_a_ray_actor_as_itself(tmp_path: Path) -> None:
    script = Path(__file__).with_name("actor_error.py")
    printed = wheel.run(str(script), folder=tmp_path)
    assert "QueueFull 7 queue_full" in printed
    assert "EngineRefused 413 too_large" in printed
