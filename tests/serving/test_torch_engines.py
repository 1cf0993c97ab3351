"""sentence-transformers and a cross-encoder under Ray Serve, from the wheel."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
from tests.serving import wheel
from tests.serving.conftest import weights
from tests.serving.running import Pool, free_port, ray_folder

from zhengwu.serving.spec import DeploymentSpec, PoolSpec

pytestmark = pytest.mark.torch

MINILM = "all-minilm-l6-v2"
TINY = "tiny-reranker"
MAKE_TINY = """
import sys
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
config = BertConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1,
                    num_attention_heads=2, intermediate_size=64, num_labels=1)
BertForSequenceClassification(config).save_pretrained(sys.argv[2])
tokenizer.save_pretrained(sys.argv[2])
"""


@pytest.fixture(scope="module")
def torch_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    folder = tmp_path_factory.mktemp("torch")
    python = wheel.python()
    minilm = weights(MINILM)
    wheel.run("-c", MAKE_TINY, str(minilm), str(folder / TINY), folder=folder)
    spec = PoolSpec(
        deployments=(
            DeploymentSpec(
                model=MINILM,
                engine="embed",
                weights=minilm,
                num_cpus=0.5,
                context_tokens=256,
                engine_options={"backend": "sentence-transformers"},
            ),
            DeploymentSpec(
                model=TINY,
                engine="rerank",
                weights=folder / TINY,
                num_cpus=0.5,
                context_tokens=256,
            ),
        ),
        http_port=free_port(),
        ray_port=free_port(),
        num_cpus=1,
        temp_dir=ray_folder(),
    )
    with Pool(spec, folder, python) as running:
        running.wait_ready(300)
        yield running


def test_sentence_transformers_embeds(torch_pool: Pool) -> None:
    client = openai.OpenAI(base_url=f"{torch_pool.url}/{MINILM}/v1", api_key="none")
    texts = ["How to claim unemployment benefit", "Car inspection every year"]
    passages = client.embeddings.create(model=MINILM, input=texts)
    query = client.embeddings.create(
        model=MINILM, input="I lost my job", extra_body={"input_type": "query"}
    )
    found = np.array([row.embedding for row in passages.data])
    assert found.shape == (2, 384)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)
    assert int(np.argmax(found @ np.array(query.data[0].embedding))) == 0
    assert passages.usage.total_tokens > 8


def test_rerank_speaks_cohere(torch_pool: Pool) -> None:
    documents = ["失业保险金", {"text": "机动车检验"}, "户口登记"]
    body = {"model": TINY, "query": "失业", "documents": documents, "top_n": 2}
    status, answer = post(torch_pool, {**body, "return_documents": True})
    assert status == 200 and len(answer["results"]) == 2
    scores = [row["relevance_score"] for row in answer["results"]]
    assert scores == sorted(scores, reverse=True) and all(0 <= s <= 1 for s in scores)
    first = answer["results"][0]
    assert first["document"]["text"] == ["失业保险金", "机动车检验", "户口登记"][first["index"]]


@pytest.mark.parametrize(
    "fields", [{"documents": []}, {"query": ""}, {"documents": ["好"] * 513}, {"top_n": 0}]
)
def test_bad_rerank_bodies_are_refused(torch_pool: Pool, fields: dict[str, Any]) -> None:
    body = {"model": TINY, "query": "失业", "documents": ["好"], **fields}
    status, answer = post(torch_pool, body)
    assert status == 400 and answer["error"]["message"]


def post(pool: Pool, body: dict[str, Any]) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{pool.url}/{TINY}/v1/rerank",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
