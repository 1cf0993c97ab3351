"""`/v1/files`: what batches read and write. Uploads come part by part, never whole in memory."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from zhengwu.gateway.wire.asked import Asked
from zhengwu.gateway.wire.errors import UnsupportedParameter, WireError, WrongParameter
from zhengwu.gateway.wire.files import KEPT, PART_BYTES, FileInfo, NewFile, WireFiles
from zhengwu.gateway.wire.owner import owner_of
from zhengwu.gateway.wire.responses.writer import new_id
from zhengwu.gateway.wire.through import Asking

PATH = "/v1/files"
LEAST_KEPT_S, MOST_KEPT_S = 3600, int(KEPT.total_seconds())
FIELDS = frozenset({"file", "purpose", "expires_after[anchor]", "expires_after[seconds]"})
MAX_PAGE = 1000
UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string", "enum": ["batch"]},
                    },
                }
            }
        },
    }
}


def file_routes(asking: Asking, files: WireFiles) -> APIRouter:
    """The routes of files. Every one needs a key."""
    routes = APIRouter(prefix=PATH, tags=["openai"])
    who = Depends(asking)

    @routes.post("", openapi_extra=UPLOAD)
    async def upload(request: Request, asked: Asked = who) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        async with _form(request) as form:
            new, given = _new(form, asked)
            return shown(await files.write(new, _blocks(given)))

    @routes.get("")
    async def listed(  # pyright: ignore[reportUnusedFunction]
        asked: Asked = who,
        purpose: Literal["batch", "batch_output"] | None = None,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
        order: Literal["desc"] = "desc",
    ) -> dict[str, Any]:
        found = await files.page(owner_of(asked.caller), limit + 1, purpose, after)
        return page([shown(info) for info in found], limit)

    @routes.get("/{file_id}")
    async def retrieve(file_id: str, asked: Asked = who) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return shown(await files.get(owner_of(asked.caller), file_id))

    @routes.get("/{file_id}/content", response_class=StreamingResponse)
    async def content(file_id: str, asked: Asked = who) -> StreamingResponse:  # pyright: ignore[reportUnusedFunction]
        info = await files.get(owner_of(asked.caller), file_id)
        headers = {"content-length": str(info.size), "cache-control": "no-store"}
        return StreamingResponse(files.content(info.id), 200, headers, "application/jsonl")

    @routes.delete("/{file_id}")
    async def delete(file_id: str, asked: Asked = who) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        await files.delete(owner_of(asked.caller), file_id)
        return {"id": file_id, "object": "file", "deleted": True}

    return routes


def shown(info: FileInfo) -> dict[str, Any]:
    """A file as the API shows it."""
    return {
        "id": info.id,
        "object": "file",
        "bytes": info.size,
        "created_at": int(info.created.timestamp()),
        "expires_at": int(info.expires.timestamp()),
        "filename": info.filename,
        "purpose": info.purpose,
        "status": "processed",
    }


def page(rows: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    """The first `limit` of the rows, as a list of the API."""
    data = rows[:limit]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
    return {"object": "list", "data": data, **ends, "has_more": len(rows) > limit}


def _form(request: Request) -> Any:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise WireError("请用 multipart/form-data 上传文件。", "file")
    return _Form(request)


class _Form:
    """The form of an upload; what is malformed is the caller's fault."""

    def __init__(self, request: Request) -> None:
        self._form = request.form(max_files=1, max_fields=4, max_part_size=1024)

    async def __aenter__(self) -> FormData:
        try:
            return await self._form.__aenter__()
        except HTTPException as error:
            raise WireError("表单格式有误，请检查 file 和 purpose 后重试。", "file") from error

    async def __aexit__(self, *_: object) -> None:
        await self._form.__aexit__(None, None, None)


def _new(form: FormData, asked: Asked) -> tuple[NewFile, UploadFile]:
    for name in form:
        if name not in FIELDS:
            raise UnsupportedParameter(f"不支持参数 {name[:80]}：请去掉后重试。", name[:80])
    given = form.get("file")
    if not isinstance(given, UploadFile):
        raise WrongParameter("缺少文件 file。", "file")
    purpose = form.get("purpose")
    if purpose != "batch":
        raise UnsupportedParameter("purpose 只支持 batch。", "purpose")
    name = "".join(c for c in given.filename or "" if c.isprintable())[-255:] or "upload.jsonl"
    caller = asked.caller
    file_id, owner = new_id("file"), owner_of(caller)
    return NewFile(file_id, owner, caller.key_id, name, "batch", _kept(form)), given


def _kept(form: FormData) -> timedelta:
    seconds = form.get("expires_after[seconds]")
    if seconds is None:
        return KEPT
    told = f"expires_after[seconds] 应为 {LEAST_KEPT_S} 至 {MOST_KEPT_S}。"
    if not isinstance(seconds, str) or not (seconds.isascii() and seconds.isdigit()):
        raise WrongParameter(told, "expires_after")
    if len(seconds) > 9 or not LEAST_KEPT_S <= int(seconds) <= MOST_KEPT_S:
        raise WrongParameter(told, "expires_after")
    return timedelta(seconds=int(seconds))


async def _blocks(given: UploadFile) -> AsyncGenerator[bytes]:
    while block := await given.read(PART_BYTES):
        yield block
