"""`/healthz`, `/readyz`, `/metrics`, and what answers for everything else."""

import asyncio

import pytest
from tests.gateway.citizen import OneShelf
from tests.gateway.conftest import Running

from zhengwu.gateway.readiness import knowledge_check, pool_check
from zhengwu.gateway.routes import ops
from zhengwu.gateway.routes.ops import Check, PartState, ops_routes
from zhengwu.outbound import Outbound


async def test_healthz(gateway: Running) -> None:
    assert (await gateway.get("/healthz"))[:2] == (200, {"status": "ok"})


async def test_readyz_names_every_part(gateway: Running) -> None:
    status, body, _ = await gateway.get("/readyz")
    assert status == 200 and body["ready"]
    assert body["parts"]["database"]["ok"]
    assert body["parts"]["pool"]["figures"] == {"models": 2, "up": 2}
    assert "尚未建立" in body["parts"]["knowledge"]["detail"]  # the real one, and empty


async def test_the_vectors_may_be_behind() -> None:
    check = knowledge_check(OneShelf(), "starter")
    state = await check.look()
    assert state.ok and not check.required
    assert state.figures == {"documents": 1, "chunks": 3, "embedded": 2}
    assert state.detail == "向量已完成 2 / 3"


async def test_a_pool_that_is_down() -> None:
    async with Outbound("self", 1, timeout_s=1.0) as outbound:
        state = await pool_check(outbound, {"m": "http://127.0.0.1:9/m/health"}).look()
    assert not state.ok and "zhengwu pool status" in state.detail


async def test_a_part_that_hangs_does_not_hang_readyz(
    gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang() -> PartState:
        await asyncio.sleep(60)
        return PartState(True, "正常")

    monkeypatch.setattr(ops, "PART_TIMEOUT_S", 0.05)
    routes = ops_routes([Check("slow", hang)], gateway.parts.metrics)
    readyz = next(r for r in routes.routes if getattr(r, "path", "") == "/readyz")
    answer = await readyz.endpoint()  # type: ignore[attr-defined]  # pyright: ignore
    assert answer.status_code == 503


async def test_metrics_have_no_free_text(gateway: Running) -> None:
    await gateway.get("/api/kb/starter/documents/秘密文件/clauses/a1")
    async with gateway.http.get(f"{gateway.url}/metrics") as answer:
        text = await answer.text()
    assert 'route="/api/kb/{kb}/documents/{doc_id:path}/clauses/{clause_id}"' in text
    assert "秘密" not in text


async def test_unknown_paths_and_methods(gateway: Running) -> None:
    for path, method, status, code in (
        ("/api/nothing", "GET", 404, "not_found"),
        ("/api/qa", "GET", 405, "method_not_allowed"),
        ("/nothing", "POST", 404, "not_found"),
    ):
        async with gateway.http.request(method, gateway.url + path) as answer:
            assert answer.status == status
            assert (await answer.json())["error"]["code"] == code
    status, body, _ = await gateway.get("/v1/nothing", headers=gateway.headers)
    assert (status, body["error"]["type"]) == (404, "invalid_request_error")


async def test_openapi_is_served_and_no_page_that_loads_from_elsewhere(gateway: Running) -> None:
    status, body, _ = await gateway.get("/openapi.json")
    assert status == 200 and "/v1/chat/completions" in body["paths"]
    assert (await gateway.get("/docs"))[0] == 404
