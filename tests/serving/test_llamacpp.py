"""llama.cpp under Ray Serve, for real, through the official client."""

import asyncio
import json
import time
from typing import Any

import aiohttp
import openai
import pytest
from tests.serving.running import CHAT, Pool

pytestmark = pytest.mark.engine

LONG: Any = [{"role": "user", "content": "写一篇两千字的文章，介绍城市的历史。"}]


def ask(text: str) -> Any:
    return [{"role": "user", "content": text}]


@pytest.fixture
def client(pool: Pool) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{pool.url}/{CHAT}/v1", api_key="none", max_retries=0, timeout=120
    )


def wait_idle(pool: Pool, seconds: float) -> float:
    """Seconds until llama.cpp itself says that no slot generates."""
    start = time.monotonic()
    while pool.get(f"/{CHAT}/slots")[1]["busy"]:
        assert time.monotonic() - start < seconds, "the engine goes on generating"
        time.sleep(0.02)
    return time.monotonic() - start


def test_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=CHAT, messages=ask("1+1等于几？只回答数字。"), max_tokens=8, temperature=0
    )
    assert "2" in (answer.choices[0].message.content or "")
    assert answer.model == CHAT
    assert answer.usage is not None and answer.usage.completion_tokens > 0


def test_stream_comes_while_it_is_written(client: openai.OpenAI) -> None:
    start = time.monotonic()
    times: list[float] = []
    text = ""
    for chunk in client.chat.completions.create(
        model=CHAT, messages=ask("用三句话介绍失业保险。"), max_tokens=48, stream=True
    ):
        if chunk.choices and chunk.choices[0].delta.content:
            times.append(time.monotonic() - start)
            text += chunk.choices[0].delta.content
    assert len(times) > 10 and text
    # Every token is its own event: half of the time has passed only near half of the tokens.
    halfway = sum(t < (times[0] + times[-1]) / 2 for t in times)
    assert 0.2 < halfway / len(times) < 0.8


def test_json_schema_binds(client: openai.OpenAI) -> None:
    schema: Any = {
        "type": "object",
        "properties": {
            "可答": {"type": "boolean"},
            "依据": {"type": "string", "enum": ["第一条", "第二条"]},
        },
        "required": ["可答", "依据"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model=CHAT,
        messages=ask("今天天气不错。"),
        max_tokens=60,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "判断", "schema": schema, "strict": True},
        },
    )
    found = json.loads(answer.choices[0].message.content or "")
    assert found.keys() == {"可答", "依据"}
    assert found["依据"] in ("第一条", "第二条")


def test_log_probabilities_can_rerank(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=CHAT,
        messages=ask("“申领失业保险金要带身份证”是否说到了失业保险？只回答是或否。"),
        max_tokens=1,
        temperature=0,
        logprobs=True,
        top_logprobs=10,
    )
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None and logprobs.content is not None
    top = {one.token.strip(): one.logprob for one in logprobs.content[0].top_logprobs}
    assert len(top) > 1 and all(value <= 0 for value in top.values())
    assert "是" in top


def test_unknown_model(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="没有的模型", messages=ask("你好"))
    assert caught.value.code == "model_not_found"


def test_context_overflow(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=CHAT, messages=ask("政务" * 9000))
    assert caught.value.code == "context_length_exceeded"
    assert "4096" in caught.value.message


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"x"', b'{"messages": "x"}', b"{}", b"\xff"])
async def test_bad_bodies_are_refused_in_openai_shape(pool: Pool, raw: bytes) -> None:
    url = f"{pool.url}/{CHAT}/v1/chat/completions"
    async with aiohttp.ClientSession() as session, session.post(url, data=raw) as answer:
        assert answer.status == 400
        error = (await answer.json())["error"]
    assert error["message"] and error["type"] == "invalid_request_error"


def test_models_health_load_and_unknown_routes(pool: Pool) -> None:
    status, models = pool.get(f"/{CHAT}/v1/models")
    assert status == 200 and [m["id"] for m in models["data"]] == [CHAT]
    assert pool.get(f"/{CHAT}/health") == (200, {"status": "ok"})
    assert pool.get(f"/{CHAT}/load")[1]["ongoing"] == 0
    for path in ("/nothing/v1/models", f"/{CHAT}/v1/nothing"):
        status, body = pool.get(path)
        assert status == 404 and body["error"]["message"]


@pytest.mark.parametrize("stream", [True, False])
async def test_generation_stops_when_the_client_leaves(pool: Pool, stream: bool) -> None:
    body = {"model": CHAT, "messages": LONG, "max_tokens": 2000, "stream": stream}
    async with aiohttp.ClientSession() as session:
        asking = asyncio.create_task(_post(session, pool, body))
        while not (await asyncio.to_thread(pool.get, f"/{CHAT}/slots"))[1]["busy"]:
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)
        assert (await asyncio.to_thread(pool.get, f"/{CHAT}/load"))[1]["ongoing"] == 1
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert await asyncio.to_thread(wait_idle, pool, 3.0) < 3.0
    assert pool.get(f"/{CHAT}/load")[1]["ongoing"] == 0


async def test_a_full_queue_says_when_to_come_back(pool: Pool) -> None:
    body = {"model": CHAT, "messages": ask("数到二十。"), "max_tokens": 30}
    async with aiohttp.ClientSession() as session:
        answers = await asyncio.gather(*(_post(session, pool, body) for _ in range(9)))
        healthy = await asyncio.to_thread(pool.get, f"/{CHAT}/health")
    assert sorted(status for status, _, _ in answers) == [200] * 4 + [503] * 5
    for status, retry_after, text in answers:
        if status == 503:
            assert int(retry_after or 0) >= 1
            assert json.loads(text)["error"]["code"] == "queue_full"
    assert healthy[0] == 200


def test_a_killed_replica_is_an_error_and_comes_back(pool: Pool, client: openai.OpenAI) -> None:
    old = pool.replica(CHAT)
    stream = client.chat.completions.create(model=CHAT, messages=LONG, max_tokens=2000, stream=True)
    with pytest.raises((openai.APIError, aiohttp.ClientError)) as caught:
        for number, _ in enumerate(stream):
            if number == 3:
                old.kill()
    assert "退出" in str(caught.value) or "connection" in str(caught.value).lower()
    deadline = time.monotonic() + 90
    while pool.get(f"/{CHAT}/health")[0] != 200:
        assert time.monotonic() < deadline, "Serve brought no new replica"
        time.sleep(0.5)
    assert pool.replica(CHAT).pid != old.pid
    answer = client.chat.completions.create(model=CHAT, messages=ask("你好"), max_tokens=4)
    assert answer.choices[0].message.content


async def _post(
    session: aiohttp.ClientSession, pool: Pool, body: dict[str, Any]
) -> tuple[int, str | None, str]:
    url = f"{pool.url}/{CHAT}/v1/chat/completions"
    async with session.post(url, json=body) as answer:
        return answer.status, answer.headers.get("Retry-After"), await answer.text()
