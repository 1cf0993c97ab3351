"""`/v1/completions`: text that goes on, for engines that speak it. Bodies pass as they came.

The prompt is not put into a chat: whoever asks here wants no template around it. The engines of
the pool (llama.cpp, vLLM) speak this path; most closed models do not, and say so.
"""

from collections.abc import AsyncGenerator
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.errors import body_of, from_error
from zhengwu.gateway.metrics import Metrics
from zhengwu.gateway.reply import note, request_id
from zhengwu.gateway.stream import EventStream, until_left
from zhengwu.gateway.wire.asked import Asked, Opens
from zhengwu.gateway.wire.errors import UnsupportedParameter
from zhengwu.gateway.wire.through import Asking

PATH = "completions"


class CompletionBody(BaseModel):
    """The body of `POST /v1/completions`, of which the gateway reads what it must."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(min_length=1, max_length=200)
    prompt: str | list[str]
    """Tokens are not taken: the detector of personal data reads text."""
    n: int | None = None
    best_of: int | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None

    def check(self) -> None:
        """Refuse what no engine here does, by name."""
        for name, value in (("n", self.n), ("best_of", self.best_of)):
            if value not in (None, 1):
                raise UnsupportedParameter(f"{name} 只能是 1，请分几次请求。", name)


def completion_routes(asking: Asking, opens: Opens, metrics: Metrics) -> APIRouter:
    """The route. It needs a key."""
    routes = APIRouter(prefix="/v1", tags=["openai"])
    who = Depends(asking)

    @routes.post("/completions", response_class=Response)
    async def complete(  # pyright: ignore[reportUnusedFunction]
        body: CompletionBody, request: Request, asked: Asked = who
    ) -> Response:
        body.check()
        raw = await request.body()
        if body.stream:
            return EventStream(_streamed(opens, asked, body, raw, request), metrics)

        async def whole() -> bytes:
            async with opens.open(asked, PATH, raw, False) as opened:
                return await opened.whole()

        answer = await until_left(request.receive, whole())
        return Response(answer, media_type="application/json")

    return routes


async def _streamed(
    opens: Opens, asked: Asked, body: CompletionBody, raw: bytes, request: Request
) -> AsyncGenerator[bytes]:
    """The upstream's events; one that breaks off ends with an error event, not silently."""
    began, scope = False, request.scope
    wants = bool((body.stream_options or {}).get("include_usage"))
    options = {**(body.stream_options or {}), "include_usage": True}
    sent = orjson.dumps({**orjson.loads(raw), "stream_options": options})
    try:
        async with opens.open(asked, PATH, sent, True) as opened:
            async for data in opened.events():
                began = True
                if wants or orjson.loads(data).get("choices"):
                    yield b"data: %s\n\n" % data.encode()
            yield b"data: [DONE]\n\n"
        note(scope, outcome="done")
    except ZhengwuError as error:
        note(scope, outcome="cut", code=error.code)
        if not began:
            raise
        problem = body_of(from_error(error), scope["path"], request_id(scope))
        yield b"data: " + problem + b"\n\n"
