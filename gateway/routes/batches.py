"""`/v1/batches`: made, listed, read and cancelled. The worker runs them."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from zhengwu.db.tables import now
from zhengwu.gateway.routes.files import page
from zhengwu.gateway.wire.asked import Asked
from zhengwu.gateway.wire.batches.lines import ENDPOINTS
from zhengwu.gateway.wire.batches.store import WINDOW, BatchState, BatchStore, Counts
from zhengwu.gateway.wire.errors import UnknownObject, UnsupportedParameter, WrongParameter
from zhengwu.gateway.wire.files import WireFiles
from zhengwu.gateway.wire.owner import owner_of
from zhengwu.gateway.wire.responses.writer import new_id
from zhengwu.gateway.wire.through import Asking

MAX_PAGE = 100
STAMPS = (
    "in_progress_at",
    "finalizing_at",
    "completed_at",
    "failed_at",
    "expired_at",
    "cancelling_at",
    "cancelled_at",
)


class BatchBody(BaseModel):
    """The body of `POST /v1/batches`."""

    model_config = ConfigDict(extra="allow")

    input_file_id: str = Field(min_length=1, max_length=80)
    endpoint: str
    completion_window: Literal["24h"]
    metadata: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]] | (
        None
    ) = Field(default=None, max_length=16)

    def check(self) -> None:
        """Refuse what is not offered, by name."""
        for name, value in (self.model_extra or {}).items():
            if value is not None:
                told = f"不支持参数 {name[:80]}：请去掉后重试。"
                raise UnsupportedParameter(told, name[:80])
        if self.endpoint not in ENDPOINTS:
            told = f"endpoint 可选：{'、'.join(ENDPOINTS)}。"
            raise UnsupportedParameter(told, "endpoint")


def batch_routes(asking: Asking, batches: BatchStore, files: WireFiles) -> APIRouter:
    """The routes of batches. Every one needs a key."""
    routes = APIRouter(prefix="/v1/batches", tags=["openai"])
    who = Depends(asking)

    async def seen(state: BatchState) -> dict[str, Any]:
        return shown(state, await batches.counts(state.id))

    @routes.post("")
    async def create(body: BatchBody, asked: Asked = who) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        body.check()
        state = _new(body, asked)
        try:
            info = await files.get(state.owner, body.input_file_id)
        except UnknownObject as error:
            raise WrongParameter(str(error), "input_file_id") from error
        if info.purpose != "batch":
            raise WrongParameter("输入文件的 purpose 应为 batch。", "input_file_id")
        await batches.add(state)
        return await seen(state)

    @routes.get("")
    async def listed(  # pyright: ignore[reportUnusedFunction]
        asked: Asked = who,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
    ) -> dict[str, Any]:
        found = await batches.page(owner_of(asked.caller), limit + 1, after)
        return page([await seen(state) for state in found], limit)

    @routes.get("/{batch_id}")
    async def retrieve(batch_id: str, asked: Asked = who) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return await seen(await batches.get(owner_of(asked.caller), batch_id))

    @routes.post("/{batch_id}/cancel")
    async def cancel(batch_id: str, asked: Asked = who) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return await seen(await batches.cancel(owner_of(asked.caller), batch_id))

    return routes


def _new(body: BatchBody, asked: Asked) -> BatchState:
    moment = now()
    return BatchState(
        id=new_id("batch"),
        owner=owner_of(asked.caller),
        key_id=asked.caller.key_id,
        endpoint=body.endpoint,
        input_file=body.input_file_id,
        output_file=None,
        error_file=None,
        status="validating",
        declared=asked.declared,
        note=body.metadata,
        errors=None,
        times={},
        created=moment,
        expires=moment + WINDOW,
    )


def shown(state: BatchState, counts: Counts) -> dict[str, Any]:
    """A batch as the API shows it."""
    total = counts.waiting + counts.done + counts.failed
    tokens = counts.input_tokens + counts.output_tokens
    return {
        "id": state.id,
        "object": "batch",
        "endpoint": state.endpoint,
        "errors": {"object": "list", "data": [*state.errors]} if state.errors else None,
        "input_file_id": state.input_file,
        "completion_window": "24h",
        "status": state.status,
        "output_file_id": state.output_file,
        "error_file_id": state.error_file,
        "created_at": int(state.created.timestamp()),
        "expires_at": int(state.expires.timestamp()),
        **{name: state.times.get(name) for name in STAMPS},
        "request_counts": {"total": total, "completed": counts.done, "failed": counts.failed},
        "metadata": state.note,
        "usage": {
            "input_tokens": counts.input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": counts.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": tokens,
        },
    }
