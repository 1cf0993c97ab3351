"""Refuses bodies that are too large or never arrive, before anything parses them."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zhengwu.gateway.errors import BodyTooLarge, BodyTooSlow, GatewayError, from_error
from zhengwu.gateway.reply import send_problem

MAX_BYTES = 1024 * 1024
MAX_SECONDS = 30.0


class CallerLeft(Exception):
    """The caller hung up while sending its body."""


class BodyLimit:
    """Reads the whole body, at most `max_bytes` within `max_seconds`, and hands it on in one.

    Uploads are only counted: `uploads` says to which paths a `POST` may be how large.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int = MAX_BYTES,
        max_seconds: float = MAX_SECONDS,
        uploads: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        if scope["path"] in self._uploads and scope["method"] == "POST":
            counted = self._counted(receive, self._uploads[scope["path"]])
            await self._app(scope, counted, send)
            return
        try:
            body = await self._read(scope, receive)
        except CallerLeft:
            return
        except GatewayError as error:
            await send_problem(from_error(error), scope, receive, send)
            return
        scope.setdefault("state", {})["body"] = body
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, replay, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            raise _too_large(self._max_bytes)
        body = bytearray()
        try:
            async with asyncio.timeout(self._max_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise CallerLeft
                    body += message.get("body", b"")
                    if len(body) > self._max_bytes:
                        raise _too_large(self._max_bytes)
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError as error:
            raise BodyTooSlow("请求体长时间没有传完，请检查网络后重试。") from error

    def _counted(self, receive: Receive, most: int) -> Receive:
        """`receive` of an upload: at most `most` bytes, and never silent for long."""
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await self._soon(receive)
            taken += len(message.get("body", b""))
            if taken > most:
                raise _too_large(most)
            return message

        return counted

    async def _soon(self, receive: Receive) -> Message:
        try:
            async with asyncio.timeout(self._max_seconds):
                return await receive()
        except TimeoutError as error:
            raise BodyTooSlow("请求体长时间没有传完，请检查网络后重试。") from error


def _too_large(most: int) -> BodyTooLarge:
    told = f"{most >> 20} MB" if most > MAX_BYTES else f"{most // 1024} KB"
    return BodyTooLarge(f"请求体超过 {told} 的上限，请精简内容后重试。")
