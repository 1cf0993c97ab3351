"""Answers of an upstream with quirks, as OpenAI's wire has them. What fits passes untouched.

A stream is changed event by event as it comes; an event without a mark of a quirk is not parsed.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from zhengwu.models.errors import UpstreamCut, UpstreamGarbled
from zhengwu.models.quirks import CUT, Quirks
from zhengwu.models.upstream import Reply

LONGEST_EVENT = 8 << 20


@dataclass(frozen=True)
class NormalReply:
    """A reply whose body is OpenAI's."""

    reply: Reply
    quirks: Quirks
    stream: bool

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that concern the content."""
        return self.reply.headers

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes; one that is not streamed comes whole.

        Raises:
            UpstreamCut: it broke off, or the upstream says that it did.
        """
        return self._events() if self.stream else self._whole()

    async def _whole(self) -> AsyncIterator[bytes]:
        body = b"".join([block async for block in self.reply.chunks()])
        yield _normal(body, self.quirks) if _marked(body, self.quirks) else body

    async def _events(self) -> AsyncIterator[bytes]:
        rest = b""
        async for block in self.reply.chunks():
            *events, rest = (rest + block).replace(b"\r\n", b"\n").split(b"\n\n")
            if len(rest) > LONGEST_EVENT:
                raise UpstreamGarbled("上游的事件流有一个事件超过 8 MiB，已中止")
            if events:
                yield b"".join(self._event(event) + b"\n\n" for event in events)
        if rest:
            yield rest

    def _event(self, event: bytes) -> bytes:
        if not _marked(event, self.quirks) or event.count(b"data:") != 1:
            return event
        head, _, data = event.partition(b"data:")
        return head + b"data: " + _normal(data.strip(), self.quirks)


def _marked(data: bytes, quirks: Quirks) -> bool:
    return any(mark in data for mark in quirks.marks)


def _normal(data: bytes, quirks: Quirks) -> bytes:
    try:
        fields: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return data  # whoever reads it will say so
    choices: Any = fields.get("choices") if isinstance(fields, dict) else None
    if not isinstance(choices, list):
        return data
    ended = False
    for choice in choices:
        if not isinstance(choice, dict):
            continue
        ended = _ended(choice, quirks) or ended
        _reasoning(choice, quirks)
        if quirks.usage == "choice" and choice.get("usage"):
            fields.setdefault("usage", choice.pop("usage"))
    if quirks.usage == "every" and choices and not ended and "delta" in choices[0]:
        fields.pop("usage", None)  # running totals: only the last one counts
    return orjson.dumps(fields)


def _ended(choice: dict[str, Any], quirks: Quirks) -> bool:
    reason: Any = choice.get("finish_reason")
    if not reason:
        return False
    reason = quirks.finish.get(str(reason), reason)
    if reason == CUT:
        raise UpstreamCut(f"上游自己中断了回答（{choice['finish_reason']}），内容不完整")
    choice["finish_reason"] = reason
    return True


def _reasoning(choice: dict[str, Any], quirks: Quirks) -> None:
    for part in ("delta", "message"):
        content: Any = choice.get(part)
        if isinstance(content, dict) and quirks.reasoning in content:
            content["reasoning_content"] = content.pop(quirks.reasoning)
