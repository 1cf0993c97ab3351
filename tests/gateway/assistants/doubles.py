"""Two services on the loopback, as departments run them: one by OpenAPI, one an MCP server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Services:
    """What was asked of them."""

    port: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document of the first."""
        city = {"name": "city", "in": "path", "required": True, "schema": {"type": "string"}}
        day = {"name": "day", "in": "query", "schema": {"$ref": "#/components/schemas/Day"}}
        return {
            "openapi": "3.1.0",
            "servers": [{"url": f"http://{self.address}/api"}],
            "components": {"schemas": {"Day": {"type": "string", "description": "日期"}}},
            "paths": {
                "/windows/{city}": {
                    "get": {"operationId": "find_window", "parameters": [city, day]}
                },
                "/away": {"get": {"operationId": "away"}},
                "/big": {"get": {"operationId": "big"}},
            },
        }

    async def window(self, request: web.Request) -> web.Response:
        key = request.headers.get("authorization")
        self.asked.append({**request.match_info, **request.query, "key": key})
        return web.json_response({"floor": 3})

    async def away(self, request: web.Request) -> web.Response:
        self.asked.append({"away": True})
        raise web.HTTPFound(f"http://{self.address}/api/windows/elsewhere")

    async def big(self, request: web.Request) -> web.Response:
        return web.Response(text="长" * 200_000)

    async def mcp(self, request: web.Request) -> web.StreamResponse:
        message = await request.json()
        self.asked.append(message)
        if "id" not in message:
            return web.Response(status=202)
        results: dict[str, Any] = {
            "initialize": {"protocolVersion": "2025-06-18", "capabilities": {}},
            "tools/list": {
                "tools": [{"name": "count", "inputSchema": {"type": "object", "properties": {}}}]
            },
            "tools/call": {"content": [{"type": "text", "text": "共 12 件"}]},
        }
        told = {"jsonrpc": "2.0", "id": message["id"], "result": results[message["method"]]}
        if message["method"] == "initialize":
            return web.json_response(told, headers={"mcp-session-id": "s1"})
        assert request.headers["mcp-session-id"] == "s1"
        text = f"event: message\ndata: {web.json_response(told).text}\n\n"
        return web.Response(text=text, content_type="text/event-stream")


@asynccontextmanager
async def running_services() -> AsyncGenerator[Services]:
    """Both, on one free port."""
    services = Services()
    app = web.Application()
    app.router.add_get("/api/windows/{city}", services.window)
    app.router.add_get("/api/away", services.away)
    app.router.add_get("/api/big", services.big)
    app.router.add_post("/mcp", services.mcp)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    services.port = runner.addresses[0][1]
    try:
        yield services
    finally:
        await runner.cleanup()
