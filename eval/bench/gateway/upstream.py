"""An upstream that answers at once: OpenAI's chat wire on a bare asyncio protocol.

`python -m zhengwu.eval.bench.gateway.upstream PORT TOKENS_PER_SECOND`. It reads no more of a
request than where it ends, whether it streams and how many tokens; it is a clock, not a model.
Streams tick by a fixed timetable, so that its own delays do not add up.
"""

import asyncio
import re
import sys
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAM = re.compile(rb'"stream": ?true')
_TOKENS = re.compile(rb'"max_tokens": ?(\d+)')
_TEXT = "您好，办理该事项请携带本人居民身份证原件，到户籍所在地政务服务中心综合窗口提交申请。"
_USAGE = '"usage":{"prompt_tokens":140,"completion_tokens":32,"total_tokens":172}'
_BODY = (
    '{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"bench","choices":[{"index":0,'
    f'"message":{{"role":"assistant","content":"{_TEXT}"}},"finish_reason":"stop"}}],{_USAGE}}}'
).encode()
WHOLE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
    + str(len(_BODY)).encode()
    + b"\r\n\r\n"
    + _BODY
)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_CHUNK = '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"bench",'


def _chunked(data: str) -> bytes:
    event = f"data: {data}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(event), event)


TOKEN = _chunked(_CHUNK + '"choices":[{"index":0,"delta":{"content":"好"},"finish_reason":null}]}')
END = _chunked(_CHUNK + f'"choices":[],{_USAGE}}}') + _chunked("[DONE]") + b"0\r\n\r\n"


class Answers(asyncio.Protocol):
    """One connection. Requests come one after the other."""

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._loop = asyncio.get_running_loop()
        self._waiting = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop has its own

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the ticking stop."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer when a request is whole."""
        self._waiting += data
        head = self._waiting.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._waiting, 0, head)
        if len(self._waiting) < head + 4 + (int(length[1]) if length else 0):
            return
        request, self._waiting = self._waiting, b""
        assert self._transport is not None
        if not _STREAM.search(request, head):
            self._transport.write(WHOLE)
            return
        tokens = _TOKENS.search(request, head)
        self._transport.write(HEAD + TOKEN)
        self._tick(self._loop.time(), 1, int(tokens[1]) if tokens else 32)

    def _tick(self, started: float, sent: int, tokens: int) -> None:
        if sent < tokens:
            at = started + sent * self._gap_s
            self._loop.call_at(at, self._token, started, sent, tokens)
        elif self._transport:
            self._transport.write(END)

    def _token(self, started: float, sent: int, tokens: int) -> None:
        if self._transport:
            self._transport.write(TOKEN)
            self._tick(started, sent + 1, tokens)


async def serve(port: int, tokens_per_second: float) -> None:
    """Listen on the loopback until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Answers(1 / tokens_per_second), "127.0.0.1", port, backlog=4096
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2])))
