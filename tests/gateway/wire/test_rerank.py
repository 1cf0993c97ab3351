"""Reranking by the chat model, in the shapes of Jina, vLLM and Cohere."""

import math
from typing import Any

from tests.gateway.conftest import Running
from tests.gateway.wire.scripted import Scripted

CHAT = "qwen2.5-coder-1.5b-instruct-q4"
DOCUMENTS = ["食堂在一楼。", "身份证在三楼窗口办理。", "身份证要带照片。"]
BODY: dict[str, Any] = {"model": "rerank", "query": "身份证在哪办", "documents": DOCUMENTS}


async def test_the_first_shape(gateway: Running, wire: Scripted) -> None:
    wire.sure = {"三楼窗口": 2.0, "要带照片": -1.0, "食堂": -4.0}
    status, told, _ = await gateway.post("/v1/rerank", json=BODY, headers=gateway.headers)
    assert status == 200, told
    assert [row["index"] for row in told["results"]] == [1, 2, 0]
    assert told["results"][0]["document"] == {"text": DOCUMENTS[1]}
    best = told["results"][0]["relevance_score"]
    assert math.isclose(best, 1 / (1 + math.exp(-2.0)))
    assert told["usage"] == {"prompt_tokens": 33, "total_tokens": 54}
    assert {body["model"] for body in wire.bodies} == {CHAT} and len(wire.bodies) == 3
    assert all(body["max_tokens"] == 1 and body["top_logprobs"] == 20 for body in wire.bodies)


async def test_cohere_two_and_its_errors(gateway: Running, wire: Scripted) -> None:
    wire.sure = {"三楼窗口": 2.0}
    status, told, _ = await gateway.post(
        "/v2/rerank", json={**BODY, "top_n": 1}, headers=gateway.headers
    )
    assert status == 200 and told["meta"]["api_version"] == {"version": "2"}
    assert [[*row] for row in told["results"]] == [["index", "relevance_score"]]
    status, told, _ = await gateway.post(
        "/v2/rerank", json={**BODY, "priority": 1}, headers=gateway.headers
    )
    assert status == 400 and "priority" in told["message"]
    status, told, _ = await gateway.post("/v2/rerank", json=BODY)
    assert status == 401 and set(told) == {"id", "message"}


async def test_documents_as_objects_and_what_is_refused(gateway: Running) -> None:
    objects = [{"text": text} for text in DOCUMENTS]
    given = {**BODY, "documents": objects, "return_documents": False, "top_n": 99}
    status, told, _ = await gateway.post("/v1/rerank", json=given, headers=gateway.headers)
    assert status == 200 and all("document" not in row for row in told["results"])
    gateway.wire.bodies.clear()
    for change, want in (
        ({"rank_fields": ["a"]}, (400, "rank_fields")),
        ({"documents": [{"text": "a", "title": "b"}]}, (400, "documents[0]")),
        ({"documents": ["a", ""]}, (400, "documents[1]")),
        ({"documents": []}, (422, "documents")),
        ({"model": "没有"}, (404, "model")),
        ({"model": "chat"}, (404, "model")),
        ({"documents": ["一"] * 101}, (413, None)),
    ):
        status, told, _ = await gateway.post(
            "/v1/rerank", json={**BODY, **change}, headers=gateway.headers
        )
        assert (status, told["error"]["param"]) == want
    assert gateway.wire.bodies == []


async def test_the_grade_holds_for_every_document(gateway: Running) -> None:
    headers = {**gateway.headers, "x-data-grade": "4"}
    status, _, _ = await gateway.post("/v1/rerank", json=BODY, headers=headers)
    assert status == 403 and gateway.wire.bodies == []
