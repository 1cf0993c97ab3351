"""A server of its own that goes on with the trace of whoever calls it."""

import signal
import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from zhengwu.tracing import TraceRequests, open_tracing, span


async def work(request: Request) -> PlainTextResponse:
    with span("generate", gen_ai__request__model="m", tokens=3):
        return PlainTextResponse("done")


def stay(number: int, frame: object) -> None:
    """Take no notice."""


if __name__ == "__main__":
    # uvicorn raises the signal again after its own end; this process has more to do.
    signal.signal(signal.SIGTERM, stay)
    app = Starlette(routes=[Route("/work", work)])
    listener = socket.create_server(("127.0.0.1", 0))
    with open_tracing(sys.argv[1], "engine", delay_ms=50) as tracer:
        app.add_middleware(TraceRequests, tracer=tracer)
        print(listener.getsockname()[1], flush=True)
        config = uvicorn.Config(app, log_level="error")
        server = uvicorn.Server(config)
        server.run(sockets=[listener])
