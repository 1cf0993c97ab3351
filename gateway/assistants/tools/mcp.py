"""Speaks with an MCP server over streamable HTTP: what tools it has, and calling one.

Source: https://modelcontextprotocol.io/specification/2025-06-18/basic/transports
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic import ValidationError

from zhengwu.gateway.assistants.definition import McpTool
from zhengwu.gateway.assistants.errors import AssistantRefused, ToolFailed
from zhengwu.gateway.assistants.tools.function import MAX_FUNCTIONS, NAME, Function
from zhengwu.gateway.assistants.tools.reach import Answered, Reach
from zhengwu.models.sse import SseParser

PROTOCOL = "2025-06-18"
CLIENT = {"name": "zhengwu", "version": "1"}
MAX_PAGES = 10


class McpSession:
    """One conversation with a server."""

    def __init__(self, reach: Reach, tool: McpTool, grade: int) -> None:
        self._reach = reach
        self._tool = tool
        self._grade = grade
        self._session: str | None = None
        self._number = 0

    async def begin(self) -> None:
        """Shake hands.

        Raises:
            ToolFailed: the server does not, or speaks no version that we do.
        """
        given = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": CLIENT}
        await self._ask("initialize", given)
        await self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def tools(self) -> Sequence[Mapping[str, Any]]:
        """Every tool of the server."""
        found: list[Mapping[str, Any]] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._ask("tools/list", {"cursor": cursor} if cursor else {})
            found += page.get("tools") or []
            cursor = page.get("nextCursor")
            if not cursor:
                break
        return found

    async def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """The text that a tool answers with."""
        told = await self._ask("tools/call", {"name": name, "arguments": dict(arguments)})
        parts = told.get("content") or []
        text = "\n".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")
        return f"工具报告错误：{text}" if told.get("isError") else text

    async def _ask(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._number += 1
        asked = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": dict(params)}
        answered = await self._send(asked)
        for message in _messages(answered):
            if message.get("id") == self._number:
                if "error" in message or not isinstance(message.get("result"), dict):
                    raise ToolFailed("工具服务器报告错误。")
                return message["result"]
        raise ToolFailed("工具服务器没有回答这次请求。")

    async def _send(self, message: Mapping[str, Any]) -> Answered:
        headers = {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": PROTOCOL,
        }
        if self._session:
            headers["mcp-session-id"] = self._session
        body = orjson.dumps(dict(message))
        answered = await self._reach.ask(self._tool, self._tool.url, self._grade, body, headers)
        if answered.status >= 400:
            raise ToolFailed(f"工具服务器返回 HTTP {answered.status}。")
        self._session = answered.session or self._session
        return answered


async def read_mcp(reach: Reach, tool: McpTool, at: int) -> list[Function]:
    """The functions of the server of the assistant's tool number `at`, as they are now.

    Raises:
        AssistantRefused: the server cannot be asked, or a tool cannot be offered.
    """
    session = McpSession(reach, tool, 1)
    try:
        await session.begin()
        offered = [each for each in await session.tools() if _wanted(tool, each)]
    except ToolFailed as error:
        raise AssistantRefused(f"第 {at + 1} 个工具：{error}", f"tools.{at}") from error
    try:
        found = [_function(at, each) for each in offered]
    except ValidationError as error:
        told = f"第 {at + 1} 个工具有误：{error.errors()[0]['msg']}。"
        raise AssistantRefused(told, f"tools.{at}") from error
    if not 0 < len(found) <= MAX_FUNCTIONS:
        told = f"第 {at + 1} 个工具：应有 1 至 {MAX_FUNCTIONS} 个功能，实有 {len(found)} 个。"
        raise AssistantRefused(told, f"tools.{at}")
    return found


def _wanted(tool: McpTool, given: Mapping[str, Any]) -> bool:
    name = str(given.get("name", ""))
    return bool(NAME.fullmatch(name)) and (not tool.only or name in tool.only)


def _function(at: int, given: Mapping[str, Any]) -> Function:
    return Function(
        name=str(given["name"]),
        description=str(given.get("description") or "")[:2000],
        parameters=given.get("inputSchema") or {"type": "object", "properties": {}},
        tool=at,
        method="MCP",
    )


def _messages(answered: Answered) -> list[Mapping[str, Any]]:
    if not answered.body.strip():
        return []
    data: list[str | bytes] = [answered.body]
    if answered.content_type.startswith("text/event-stream"):
        data = [event.data for event in SseParser().feed(answered.body + b"\n\n")]
    try:
        read: list[Any] = [orjson.loads(each) for each in data]
    except orjson.JSONDecodeError as error:
        raise ToolFailed("工具服务器的回答不是有效的 JSON。") from error
    return [message for message in read if isinstance(message, dict)]
