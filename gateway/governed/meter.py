"""Watches an answer go by: tokens, time to first token, its end. Changes no byte but one event.

The one: a usage event that the gateway asked for and the client did not. Knows the OpenAI wire;
knows no price and no limit.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson

from zhengwu.models.wire import error_message

LARGE = 64 * 1024
"""Beyond it a whole answer is not parsed for its usage: that stands at its end."""
DONE = b"data: [DONE]"
Fields = Mapping[str, Any]


class Meter:
    """What one answer takes. One per request; not to be used by two tasks."""

    __slots__ = (
        "_between",
        "_began",
        "_digest",
        "_hide_usage",
        "_last",
        "deltas",
        "done",
        "error",
        "first_s",
        "input",
        "output",
    )

    def __init__(
        self, began: float, hide_usage: bool = False, between: Callable[[float], None] | None = None
    ) -> None:
        """`began`: `time.perf_counter()`; `between` is told the seconds between two pieces."""
        self._began = began
        self._hide_usage = hide_usage
        self._between = between
        self._digest = hashlib.new("sm3")
        self._last = 0.0
        self.deltas = 0
        self.done = False
        self.error = ""
        self.first_s: float | None = None
        self.input: int | None = None
        self.output: int | None = None

    @property
    def began_answering(self) -> bool:
        """Whether anything of an answer has come."""
        return self.first_s is not None

    @property
    def digest(self) -> str:
        """SM3 of what has gone by; empty while nothing has."""
        return self._digest.hexdigest() if self.began_answering else ""

    def whole(self, body: bytes) -> None:
        """A whole JSON answer."""
        self.first_s = time.perf_counter() - self._began
        self._digest.update(body)
        self._count(_usage_in(body))
        self.done = True

    def events(self, block: bytes) -> bytes:
        """Whole events of a stream; what of them the client is to see."""
        now = time.perf_counter()
        if self.first_s is None:
            self.first_s = now - self._began
        elif self._between is not None:
            self._between(now - self._last)
        self._last = now
        self._digest.update(block)
        self.deltas += block.count(b"data:")
        if DONE in block:
            self.done = True
            self.deltas -= 1
        if b'"usage"' in block or b'"error"' in block:
            return self._read(block)
        return block

    def _read(self, block: bytes) -> bytes:
        """Look into the events of `block`; the one with nothing but the usage may be left out."""
        kept: list[bytes] = []
        for event in block.split(b"\n\n"):
            fields = _fields_of(event)
            usage = fields.get("usage")
            if isinstance(usage, dict):
                self._count(cast(Fields, usage))
                if not fields.get("choices"):
                    self.deltas -= 1
                    if self._hide_usage:
                        continue
            if fields.get("error"):
                self.error = error_message(orjson.dumps(fields)) or "error"
            kept.append(event)
        return b"\n\n".join(kept)

    def _count(self, usage: Fields) -> None:
        taken, given = usage.get("prompt_tokens"), usage.get("completion_tokens")
        taken = usage.get("total_tokens") if taken is None else taken
        if isinstance(taken, int) and taken >= 0:
            self.input = taken
            self.output = given if isinstance(given, int) and given >= 0 else 0


def _usage_in(body: bytes) -> Fields:
    """The `usage` of a whole answer; nothing if it has none."""
    if len(body) > LARGE:
        at = body.rfind(b'"usage"')
        # {"data": […], "usage": {…}, "id": …}: all that stands behind is small
        body = b"{" + body[at:].strip() if at >= 0 else b"{}"
    try:
        fields: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    usage = cast(Fields, fields).get("usage") if isinstance(fields, dict) else None
    return cast(Fields, usage) if isinstance(usage, dict) else {}


def _fields_of(event: bytes) -> Fields:
    _, mark, data = event.partition(b"data:")
    if not mark:
        return {}
    try:
        fields: object = orjson.loads(data.strip())
    except orjson.JSONDecodeError:
        return {}
    return cast(Fields, fields) if isinstance(fields, dict) else {}
