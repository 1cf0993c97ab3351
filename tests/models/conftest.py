"""Real servers on the loopback that stand in for upstreams, hubs and a package mirror."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


def application(handler: Handler) -> web.Application:
    """An application that gives every request to `handler`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    return app


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start a server in the test's own loop; gives its base URL."""
    servers: list[TestServer] = []

    async def start(handler: Handler) -> str:
        server = TestServer(application(handler), host="127.0.0.1")
        await server.start_server()
        servers.append(server)
        return f"http://127.0.0.1:{server.port}"

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
def serve_aside() -> Iterator[Callable[[Handler], str]]:
    """Start a server in a thread, for code that runs a loop of its own; gives its base URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    runners: list[web.AppRunner] = []

    async def up(handler: Handler) -> str:
        runner = web.AppRunner(application(handler), shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield lambda handler: asyncio.run_coroutine_threadsafe(up(handler), loop).result(10)

    async def down() -> None:
        for runner in runners:
            await runner.cleanup()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(down(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
