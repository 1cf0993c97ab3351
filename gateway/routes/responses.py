"""`/v1/responses`: created whole, streamed or for later; read, cancelled and deleted."""

from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from zhengwu.gateway.metrics import Metrics
from zhengwu.gateway.reply import note
from zhengwu.gateway.stream import EventStream, until_left
from zhengwu.gateway.wire.asked import Asked
from zhengwu.gateway.wire.errors import UnsupportedParameter
from zhengwu.gateway.wire.owner import owner_of
from zhengwu.gateway.wire.parts import WireParts
from zhengwu.gateway.wire.responses.request import ResponsesBody, items_of
from zhengwu.gateway.wire.through import Asking

PAGE = 100


def responses_routes(asking: Asking, wire: WireParts, metrics: Metrics) -> APIRouter:
    """The routes of responses. Every one needs a key."""
    responses, store = wire.responses, wire.response_store
    routes = APIRouter(prefix="/v1/responses", tags=["openai"])
    who = Depends(asking)

    @routes.post("", response_class=Response)
    async def create(body: ResponsesBody, request: Request, asked: Asked = who) -> Response:  # pyright: ignore[reportUnusedFunction]
        body.check()
        note(request.scope, model=body.model[:80])
        if body.stream and body.background:
            raise UnsupportedParameter("background 与 stream 不能同时使用。", "stream")
        if body.stream:
            return EventStream(responses.stream(asked, body), metrics)
        made = await until_left(request.receive, responses.create(asked, body))
        return Response(orjson.dumps(made), media_type="application/json")

    @routes.get("/{response_id}")
    async def retrieve(  # pyright: ignore[reportUnusedFunction]
        response_id: str, asked: Asked = who, stream: bool = False
    ) -> dict[str, Any]:
        if stream:
            raise UnsupportedParameter("不支持续传事件流，请去掉 stream。", "stream")
        return dict((await store.get(owner_of(asked.caller), response_id)).shown)

    @routes.get("/{response_id}/input_items")
    async def inputs(  # pyright: ignore[reportUnusedFunction]
        response_id: str,
        asked: Asked = who,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = 20,
        order: Literal["asc", "desc"] = "desc",
        after: str | None = None,
    ) -> dict[str, Any]:
        stored = await store.get(owner_of(asked.caller), response_id)
        items = _shown_items(response_id, ResponsesBody.model_validate(stored.request))
        items = items[::-1] if order == "desc" else items
        begin = next((at for at, i in enumerate(items, 1) if i["id"] == after), 0) if after else 0
        page = items[begin : begin + limit]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
        return {"object": "list", "data": page, **ends, "has_more": len(items) > begin + limit}

    @routes.post("/{response_id}/cancel")
    async def cancel(response_id: str, asked: Asked = who) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return dict(await responses.cancel(asked, response_id))

    @routes.delete("/{response_id}")
    async def delete(response_id: str, asked: Asked = who) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        await store.delete(owner_of(asked.caller), response_id)
        return {"id": response_id, "object": "response", "deleted": True}

    return routes


def _shown_items(response_id: str, body: ResponsesBody) -> list[dict[str, Any]]:
    """The input as items with ids; text is shown as a part, as OpenAI shows it."""
    shown: list[dict[str, Any]] = []
    for at, item in enumerate(items_of(body)):
        content = item.get("content")
        if isinstance(content, str):
            kind = "output_text" if item.get("role") == "assistant" else "input_text"
            item = {**item, "content": [{"type": kind, "text": content}]}
        shown.append({"id": f"{response_id}_{at}", "type": "message", **item})
    return shown
