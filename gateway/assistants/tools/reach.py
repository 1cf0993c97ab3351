"""The one way to a tool: through `outbound.py`, to a host that the security administrator listed.

Fails closed: a host that is not listed, or data above the tool's grade, never leaves.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yarl import URL

from zhengwu.errors import OutboundError
from zhengwu.gateway.assistants.definition import ToolBase
from zhengwu.gateway.assistants.errors import ToolFailed
from zhengwu.outbound import Outbound

PURPOSE = "tool"
MAX_BYTES = 256 * 1024
MOST_S = 15.0


@dataclass(frozen=True)
class Answered:
    """What a tool's server said."""

    status: int
    body: bytes
    content_type: str
    session: str | None = None


@dataclass(frozen=True)
class Reach:
    """Asks the servers of tools. `hosts` are `host:port`; `keys` is where keys are looked up."""

    hosts: Sequence[str]
    keys: Mapping[str, str]

    async def ask(
        self,
        tool: ToolBase,
        url: str,
        grade: int,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """GET `url`, or POST `body` to it.

        Raises:
            ToolFailed: it may not be asked, or did not answer in time and size.
        """
        self._must_reach(tool, url, grade)
        sent = {"accept": "application/json", **(headers or {}), **self._key(tool)}
        if body is not None:
            sent["content-type"] = "application/json"
        try:
            async with asyncio.timeout(MOST_S), Outbound(PURPOSE, grade) as outbound:
                opened = outbound.get(url, sent) if body is None else outbound.post(url, body, sent)
                async with opened as response:
                    read = bytearray()
                    async for block in response.content.iter_any():
                        read += block
                        if len(read) > MAX_BYTES:
                            raise ToolFailed(f"工具的回答超过 {MAX_BYTES // 1024} KB，已中止。")
                    kind = response.headers.get("content-type", "")
                    session = response.headers.get("mcp-session-id")
                    return Answered(response.status, bytes(read), kind, session)
        except (OutboundError, TimeoutError) as error:
            raise ToolFailed("工具没有应答，请稍后重试。") from error

    def _must_reach(self, tool: ToolBase, url: str, grade: int) -> None:
        if grade > tool.grade:
            raise ToolFailed(f"本次数据为 {grade} 级，这个工具最高只能接收 {tool.grade} 级。")
        try:
            address = URL(url)
        except ValueError as error:
            raise ToolFailed("工具的地址无效。") from error
        if f"{address.host}:{address.port}" not in self.hosts:
            raise ToolFailed(
                f"工具地址 {address.host}:{address.port} 没有登记，"
                "请安全管理员加入 ZHENGWU_TOOL_HOSTS。"
            )

    def _key(self, tool: ToolBase) -> dict[str, str]:
        if tool.key_env is None:
            return {}
        key = self.keys.get(tool.key_env)
        if not key:
            raise ToolFailed(f"工具的密钥 {tool.key_env} 没有设置，请联系管理员。")
        return {"authorization": f"Bearer {key}"}
