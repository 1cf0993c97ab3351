"""The lines of a batch's input file: read, checked, told apart. Knows no table.

Source: https://platform.openai.com/docs/guides/batch
"""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

import orjson

MAX_LINES = 50_000
MAX_LINE_BYTES = 1 << 20
MAX_ERRORS = 100
ENDPOINTS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses")


@dataclass(frozen=True)
class Line:
    """One request. `body` is JSON."""

    number: int
    custom_id: str
    body: str


@dataclass(frozen=True)
class LineError:
    """What is wrong with a line; `number` counts from 1."""

    number: int | None
    code: str
    message: str
    param: str | None = None


async def read_lines(
    blocks: AsyncIterator[bytes], endpoint: str
) -> AsyncGenerator[Line | LineError]:
    """Every request of a file, or what is wrong with it. Empty lines do not count."""
    seen: set[str] = set()
    number = at = 0
    async for at, raw in _numbered(blocks):
        read = _read(at, number + 1, raw, endpoint)
        if isinstance(read, Line):
            if read.custom_id in seen:
                read = LineError(
                    at, "duplicate_custom_id", "custom_id 重复，应各不相同。", "custom_id"
                )
            else:
                seen.add(read.custom_id)
        number += 1
        if number > MAX_LINES:
            told = f"一个批次最多 {MAX_LINES} 行，请拆成几个文件。"
            yield LineError(None, "too_many_lines", told)
            return
        yield read
    if not number:
        yield LineError(None, "empty_file", "文件里没有请求，请按 JSONL 格式每行写一个请求。")


async def _numbered(blocks: AsyncIterator[bytes]) -> AsyncGenerator[tuple[int, bytes]]:
    rest, at = b"", 0
    async for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        for raw in whole:
            at += 1
            if raw.strip():
                yield at, raw
        if len(rest) > MAX_LINE_BYTES:
            break  # told by `_read`; what follows could not be cut into lines
    if rest.strip():
        yield at + 1, rest


def _read(at: int, number: int, raw: bytes, endpoint: str) -> Line | LineError:
    if len(raw) > MAX_LINE_BYTES:
        told = f"一行最多 {MAX_LINE_BYTES >> 20} MB，请精简。"
        return LineError(at, "line_too_long", told)
    try:
        row: object = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return LineError(at, "invalid_json_line", "这一行不是有效的 JSON。")
    if not isinstance(row, dict):
        return LineError(at, "invalid_json_line", "这一行应为 JSON 对象。")
    custom_id, body = row.get("custom_id"), row.get("body")
    if not isinstance(custom_id, str) or not 0 < len(custom_id) <= 256 or "\0" in custom_id:
        return LineError(at, "invalid_custom_id", "custom_id 应为 1 至 256 字的文本。", "custom_id")
    if row.get("method") != "POST":
        return LineError(at, "invalid_method", "method 应为 POST。", "method")
    if row.get("url") != endpoint:
        return LineError(at, "invalid_url", f"url 应与批次的 endpoint 相同：{endpoint}。", "url")
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        return LineError(at, "invalid_body", "body 应为对象，并写明 model。", "body")
    if body.get("stream") or body.get("background"):
        return LineError(at, "invalid_body", "批次里不能用 stream 或 background。", "body")
    return Line(number, custom_id, orjson.dumps(body).decode())
