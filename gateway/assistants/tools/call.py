"""Reads the functions of all tools of an assistant, and calls one that the model chose."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

import orjson
from yarl import URL

from zhengwu.gateway.assistants.definition import Definition, McpTool, OpenApiTool, Tool
from zhengwu.gateway.assistants.errors import AssistantRefused, ToolFailed
from zhengwu.gateway.assistants.tools.function import Function
from zhengwu.gateway.assistants.tools.mcp import McpSession, read_mcp
from zhengwu.gateway.assistants.tools.openapi import read_openapi
from zhengwu.gateway.assistants.tools.reach import Reach

MAX_TEXT = 20_000
"""As much of an answer as the model is shown."""


class Calls(Protocol):
    """Calls a function. `Toolbox` is the real one."""

    async def call(self, tool: Tool, function: Function, arguments: str, grade: int) -> str:
        """What the model is shown of the answer, or ToolFailed."""
        ...


class Toolbox:
    """The tools of assistants."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def functions(self, definition: Definition) -> list[Function]:
        """Every function, as its document or server has it now.

        Raises:
            AssistantRefused: a tool cannot be read, or two functions have one name.
        """
        found: list[Function] = []
        for at, tool in enumerate(definition.tools):
            if isinstance(tool, OpenApiTool):
                found += read_openapi(tool, at)
            else:
                found += await read_mcp(self._reach, tool, at)
        names = [function.name for function in found]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise AssistantRefused(f"功能名称重复：{'、'.join(twice)}。", "tools")
        return found

    async def call(self, tool: Tool, function: Function, arguments: str, grade: int) -> str:
        """Call `function` with data of `grade`.

        Raises:
            ToolFailed: it may not be called, or failed.
        """
        given = _arguments(arguments)
        if isinstance(tool, McpTool):
            session = McpSession(self._reach, tool, grade)
            await session.begin()
            return (await session.call(function.name, given))[:MAX_TEXT]
        url, body = _request(function, given)
        answered = await self._reach.ask(tool, url, grade, body)
        text = answered.body.decode("utf-8", "replace")[:MAX_TEXT]
        return text if answered.status < 300 else f"工具返回 HTTP {answered.status}：{text}"


def _arguments(text: str) -> Mapping[str, Any]:
    try:
        given: object = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as error:
        raise ToolFailed("参数不是有效的 JSON。") from error
    if not isinstance(given, dict):
        raise ToolFailed("参数应为 JSON 对象。")
    return given


def _request(function: Function, given: Mapping[str, Any]) -> tuple[str, bytes | None]:
    """Where a call goes. Arguments fill places of the path and the query, never the host."""
    path = function.url
    for name in function.in_path:
        value = _plain(given.get(name))
        if value in ("", ".", ".."):
            raise ToolFailed(f"参数 {name} 不能为空。")
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    query: Sequence[tuple[str, str]] = [
        (name, _plain(given[name])) for name in function.in_query if given.get(name) is not None
    ]
    url = URL(path, encoded=True)
    url = url.update_query(query) if query else url
    if function.method == "GET":
        return str(url), None
    return str(url), orjson.dumps(given.get("body")) if function.takes_body else b"{}"


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value[:2000]
    return orjson.dumps(value).decode()[:2000] if value is not None else ""
