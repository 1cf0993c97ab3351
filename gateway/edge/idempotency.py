"""`Idempotency-Key`: the same request sent twice is done once, streams included.

Stands inside the body limit, so the whole body is in the first message. Only answers that are
whole and good are kept; after anything else the key is free for another try.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zhengwu.gateway.auth import bearer
from zhengwu.gateway.errors import KeyRefused, from_error
from zhengwu.gateway.governed.ports import Authenticates
from zhengwu.gateway.reply import note, send_problem
from zhengwu.gateway.wire.errors import WireError, WrongParameter
from zhengwu.gateway.wire.kept import HOLD, TOO_LARGE, Answer, Claim

HEADER = "idempotency-key"
PLAIN = re.compile(r"[\x21-\x7e]{1,255}")
UNDER = ("/v1/", "/v2/")
LEFT_OUT = ("/v1/files",)
"""An upload's body names random boundaries: no two are the same."""
MAX_BYTES = 4 << 20
ENDS_WELL = (
    b"data: [DONE]",
    b"event: response.completed",
    b"event: response.incomplete",
)


class Keeps(Protocol):
    """Keeps answers. `KeptAnswers` is the real one."""

    async def claim(self, key_id: str, key: str, request: bytes) -> Claim | Answer:
        """Take the key, or find what was answered; KeyReused where neither may be."""
        ...

    async def renew(self, claim: Claim) -> None:
        """Still at work."""
        ...

    async def keep(self, claim: Claim, answer: Answer) -> None:
        """Keep the answer."""
        ...

    async def release(self, claim: Claim) -> None:
        """Give the key back."""
        ...


class Idempotency:
    """Answers a repeated request with the first one's answer."""

    def __init__(self, app: ASGIApp, callers: Authenticates, kept: Keeps) -> None:
        self._app = app
        self._callers = callers
        self._kept = kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        key = _key_of(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        first = await receive()
        try:
            claim = await self._claim(scope, key, first.get("body", b""))
        except KeyRefused:  # the route says so, in its own words
            claim = None
        except WireError as error:
            await send_problem(from_error(error), scope, receive, send)
            return
        waiting = [first]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        if claim is None:
            await self._app(scope, replay, send)
        elif isinstance(claim, Answer):
            note(scope, replayed=1)
            await _send(claim, send)
        else:
            await self._work(claim, scope, replay, send)

    async def _claim(self, scope: Scope, key: str, body: bytes) -> Claim | Answer:
        if not PLAIN.fullmatch(key):
            told = "请求头 Idempotency-Key 应为 1 至 255 个可见的英文字符。"
            raise WrongParameter(told, "Idempotency-Key")
        headers = Headers(scope=scope)
        caller = await self._callers.caller(bearer(headers.get("authorization")))
        named = [scope["path"], headers.get("x-data-grade", "")]
        request = "\0".join(named).encode() + b"\0" + body
        return await self._kept.claim(caller.key_id, key, request)

    async def _work(self, claim: Claim, scope: Scope, receive: Receive, send: Send) -> None:
        recorder = Recorder(send, lambda answer: self._kept.keep(claim, answer))
        renewing = asyncio.create_task(self._renew(claim))
        try:
            await self._app(scope, receive, recorder)
        finally:
            renewing.cancel()
            if not recorder.kept:
                await self._kept.release(claim)

    async def _renew(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(HOLD.total_seconds() / 3)
            try:
                await self._kept.renew(claim)
            except SQLAlchemyError:  # tried again before the claim lapses
                continue


class Recorder:
    """Passes an answer on and keeps it before its last byte has gone out."""

    def __init__(self, send: Send, keep: Callable[[Answer], Awaitable[None]]) -> None:
        self._send = send
        self._keep = keep
        self._status = 500
        self._type = ""
        self._content = bytearray()
        self._large = False
        self.kept = False

    async def __call__(self, message: Message) -> None:
        """Take one message of the answer."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._type = Headers(raw=message.get("headers", [])).get("content-type", "")
        elif message["type"] == "http.response.body":
            await self._body(message.get("body", b""), message.get("more_body", False))
        await self._send(message)

    async def _body(self, piece: bytes, more: bool) -> None:
        self._large = self._large or len(self._content) + len(piece) > MAX_BYTES
        self._content += b"" if self._large else piece
        if more or not 200 <= self._status < 300:
            return
        if self._large:
            await self._keep(Answer(TOO_LARGE, "", b""))
            self.kept = True
        elif self._good():
            await self._keep(Answer(self._status, self._type, bytes(self._content)))
            self.kept = True

    def _good(self) -> bool:
        if not self._type.startswith("text/event-stream"):
            return True
        last = bytes(self._content).rstrip().rpartition(b"\n\n")[2]
        return last.startswith(ENDS_WELL)


def _key_of(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    path = str(scope["path"])
    if not path.startswith(UNDER) or path.startswith(LEFT_OUT):
        return None
    return Headers(scope=scope).get(HEADER)


async def _send(answer: Answer, send: Send) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"idempotent-replayed", b"true"),
    ]
    if answer.content_type.startswith("text/event-stream"):
        headers.append((b"cache-control", b"no-store"))
    else:
        headers.append((b"content-length", str(len(answer.content)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})
