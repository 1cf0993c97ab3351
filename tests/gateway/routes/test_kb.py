"""`/api/kb`: the shelf, and the clause that a citation opens."""

from urllib.parse import quote

from tests.gateway.citizen import CLAUSE, LAW, SOURCE
from tests.gateway.conftest import Running


async def test_the_shelf(gateway: Running) -> None:
    status, body, _ = await gateway.get("/api/kb")
    assert status == 200
    assert body == {
        "kbs": [{"name": "starter", "documents": 1, "chunks": 3, "embedded": 2}],
        "regions": ["示范省", "示范省/示范市"],
        "default_kb": "starter",
        "default_region": "示范省/示范市",
    }


async def test_a_clause_with_its_document_and_neighbours(gateway: Running) -> None:
    doc = quote(SOURCE.doc_id, safe="")
    status, body, _ = await gateway.get(f"/api/kb/starter/documents/{doc}/clauses/a9")
    assert status == 200
    assert (body["title"], body["text"], body["effective_from"]) == (LAW, CLAUSE, "2024-05-01")
    assert [one["clause_id"] for one in body["before"] + body["after"]] == ["a8", "a10"]
    assert set(body) == {
        "doc_id", "title", "clause_id", "label", "path", "text", "organ", "document_number",
        "region", "status", "issued", "effective_from", "effective_to", "before", "after",
    }  # fmt: skip


async def test_a_clause_that_is_not_there(gateway: Running) -> None:
    status, body, headers = await gateway.get("/api/kb/starter/documents/x/clauses/a1")
    assert (status, body["error"]["code"]) == (404, "unknown_clause")
    assert body["error"]["request_id"] == headers["x-request-id"]
