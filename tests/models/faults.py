"""Upstreams that fail in one way each, on real sockets, byte by byte."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter, "Seen"], Awaitable[None]]


@dataclass
class Seen:
    """What an upstream was sent."""

    bodies: list[bytes] = field(default_factory=list[bytes])
    heads: list[bytes] = field(default_factory=list[bytes])
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@asynccontextmanager
async def upstream(answer: Answer) -> AsyncGenerator[Seen]:
    """A server that reads one request and lets `answer` do what it wants with the socket."""
    seen = Seen()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            seen.heads.append(head)
            seen.bodies.append(await reader.readexactly(length))
            await answer(reader, writer, seen)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in [*tasks]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def event(fields: object) -> bytes:
    return b"data: " + orjson.dumps(fields) + b"\n\n"


def delta(text: str, **more: object) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text}}], **more})


DONE = b"data: [DONE]\n\n"
GOOD = delta("好") + delta("的") + event({"choices": [], "usage": USAGE}) + DONE
MESSAGE = {"choices": [{"message": {"role": "assistant", "content": "好的"}}], "usage": USAGE}


def raw(status: int, body: bytes, *headers: str, length: int | None = None) -> Answer:
    """A whole answer; `length` may promise more than there is."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Seen) -> None:
        size = len(body) if length is None else length
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {size}", "Connection: close", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return answer


def json(status: int, fields: object, *headers: str) -> Answer:
    return raw(status, orjson.dumps(fields), "Content-Type: application/json", *headers)


def error(status: int, message: str, code: str = "", *headers: str) -> Answer:
    return json(status, {"error": {"message": message, "code": code, "type": code}}, *headers)


def stream(*blocks: bytes, pause_s: float = 0.0, reset: bool = False, hang: bool = False) -> Answer:
    """Server-sent events, and then the end, a reset, or silence."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Seen) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Connection: close\r\n\r\n")
        for block in blocks:
            writer.write(block)
            await writer.drain()
            await asyncio.sleep(pause_s)
        if reset:
            _reset(writer)
        if hang:
            await asyncio.sleep(60)

    return answer


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Seen) -> None:
    """RST instead of an answer."""
    _reset(writer)


async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter, ___: Seen) -> None:
    """Takes the request and says nothing."""
    await asyncio.sleep(60)


def whole_or_stream(seen_body: bytes) -> bool:
    return bool(orjson.loads(seen_body).get("stream"))


async def good(_: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen) -> None:
    """An upstream that does its part, streamed or not."""
    asked = stream(GOOD) if whole_or_stream(seen.bodies[-1]) else json(200, MESSAGE)
    await asked(_, writer, seen)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    writer.transport.abort()
