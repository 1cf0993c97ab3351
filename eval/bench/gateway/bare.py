"""What ours is measured against: FastAPI and aiohttp that pass requests through, and no more.

`python -m zhengwu.eval.bench.gateway.bare PORT UPSTREAM_URL`. The only file of this room with
FastAPI and an HTTP client in it: a yardstick, never part of what is served.
"""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import Response, StreamingResponse

PATH = "/v1/chat/completions"


def bare_app(upstream: str) -> FastAPI:
    """The pass-through before `upstream` (`http://127.0.0.1:…`)."""
    sessions: list[aiohttp.ClientSession] = []

    @asynccontextmanager
    async def opened(_: FastAPI) -> AsyncGenerator[None]:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            sessions.append(session)
            yield

    app = FastAPI(lifespan=opened)

    @app.post(PATH, response_model=None)
    async def chat(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        body = await request.body()
        headers = {"content-type": "application/json"}
        answer = await sessions[0].post(upstream + PATH, data=body, headers=headers)
        if b'"stream":true' not in body:
            async with answer:
                return Response(await answer.read(), answer.status, media_type=answer.content_type)
        return StreamingResponse(_pieces(answer), answer.status, media_type=answer.content_type)

    return app


async def _pieces(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
    async with answer:
        async for piece in answer.content.iter_any():
            yield piece


if __name__ == "__main__":
    uvicorn.run(
        bare_app(sys.argv[2]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        backlog=4096,
    )
