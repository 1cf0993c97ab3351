"""Two real servers on the loopback: one stands for the pool, one for a closed provider outside.

They speak enough of the OpenAI wire to answer, misbehave as the model's name in the body tells
them to, and keep every byte they were sent. Knows no grade.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

ANSWER = json.dumps(
    {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "好"}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
)
EVENT = json.dumps(
    {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": "好"}, "finish_reason": None}],
    }
)
END = json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "id": "c1"})
STATUS = {"500": "500 Internal Server Error", "503": "503 Service Unavailable"}


@dataclass
class Double:
    """A server and everything that was said to it."""

    name: str
    port: int = 0
    seen: list[bytes] = field(default_factory=list[bytes])
    open: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it closes."""
        self.open.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 1)
            self.open.discard(writer)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        size = next((int(x[15:]) for x in lines if x.startswith("content-length:")), 0)
        body = await reader.readexactly(size)
        self.seen.append(head + body)
        asked = json.loads(body)
        told = str(asked.get("model", ""))
        if told == "reset":
            writer.transport.abort()
            return False
        if told in STATUS:
            return await _plain(writer, STATUS[told], '{"error": {"message": "busy"}}')
        if told == "redirects":
            where = "Location: https://127.0.0.1:1/v1/chat/completions\r\n"
            return await _plain(writer, "307 Temporary Redirect", "{}", where)
        if told == "empty":
            return await _plain(writer, "200 OK", "")
        if not asked.get("stream"):
            return await _plain(writer, "200 OK", ANSWER)
        cut = told == "cut"
        await _events(writer, [EVENT] if cut else [EVENT, END, "[DONE]"])
        if cut:
            writer.transport.abort()
        return not cut


async def _plain(writer: asyncio.StreamWriter, status: str, body: str, more: str = "") -> bool:
    raw = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{more}"
    writer.write(f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw)
    await writer.drain()
    return True


async def _events(writer: asyncio.StreamWriter, events: list[str]) -> None:
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    writer.write(head.encode())
    for event in events:
        raw = f"data: {event}\n\n".encode()
        writer.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
    if events[-1] == "[DONE]":
        writer.write(b"0\r\n\r\n")
    await writer.drain()


@asynccontextmanager
async def running(name: str, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Double]:
    """The server on a free port of the loopback."""
    double = Double(name)
    server = await asyncio.start_server(double.serve, "127.0.0.1", 0, ssl=tls)
    double.port = server.sockets[0].getsockname()[1]
    try:
        yield double
    finally:
        server.close()
        for writer in double.open:
            writer.transport.abort()
        while double.open:
            await asyncio.sleep(0.01)
