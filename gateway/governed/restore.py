"""Put values back into an answer: a whole JSON body, or a stream of events cut anywhere.

In a stream a placeholder may come in pieces, so the end of a text that may be the beginning of
one waits for the next event of the same text. Knows the shape of JSON and SSE, and no route.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import cast

import orjson

from zhengwu.gateway.governed.pseudonyms import Pseudonyms

LONGEST = 40
"""No placeholder is longer, escaped or not."""
_OPEN = re.compile(r"(?:【|\\u3010|\\u301|\\u30|\\u3|\\u|\\)[^【】\"]*$", re.IGNORECASE)
_ENDING = (".done", ".completed", ".failed", ".incomplete")
JSON_FIELDS = frozenset({"arguments", "partial_json"})
"""Fields whose text is JSON itself."""


@dataclass(frozen=True)
class Restore:
    """Restores what one request's placeholders stand for."""

    pseudonyms: Pseudonyms
    json_content: bool = False
    """The answer's text is JSON itself, as `response_format` asked."""

    def whole(self, body: bytes) -> bytes:
        """A whole JSON answer, restored. What is no JSON is restored as text."""
        try:
            parsed: object = orjson.loads(body)
        except orjson.JSONDecodeError:
            return self.pseudonyms.restored(body.decode("utf-8", "replace")).encode()
        return orjson.dumps(self._walk(parsed, ""))

    def _walk(self, value: object, key: str) -> object:
        if isinstance(value, str):
            return self.text(value, key)
        if isinstance(value, list):
            return [self._walk(item, key) for item in cast("list[object]", value)]
        if isinstance(value, dict):
            fields = cast("dict[str, object]", value)
            return {name: self._walk(item, name) for name, item in fields.items()}
        return value

    def text(self, text: str, key: str) -> str:
        """One text of an answer; `key` is the field it stands in."""
        if key in JSON_FIELDS or (self.json_content and key in ("content", "text", "delta")):
            return self.pseudonyms.restored_json(text)
        return self.pseudonyms.restored(text)

    async def stream(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """An SSE answer, restored, event by event."""
        restoring = _Stream(self)
        rest = b""
        async for chunk in chunks:
            *events, rest = (rest + chunk).replace(b"\r\n", b"\n").split(b"\n\n")
            for event in events:
                for out in restoring.event(event):
                    yield out + b"\n\n"
        if rest.strip():
            for out in restoring.event(rest):
                yield out + b"\n\n"
        for out in restoring.flush(""):
            yield out + b"\n\n"


@dataclass
class _Held:
    """The end of a text that waits, and the event that can carry it."""

    text: str
    carrier: dict[str, object]
    path: tuple[str | int, ...]
    prefix: bytes


@dataclass
class _Stream:
    """The texts of one stream, each known by where it stands in its events."""

    restore: Restore
    held: dict[str, _Held] = field(default_factory=dict[str, _Held])

    def event(self, event: bytes) -> list[bytes]:
        """The events that go out for one that came in."""
        prefix, mark, data = _split(event)
        if not mark:
            return [event]
        if data.strip() == b"[DONE]":
            return [*self.flush(""), event]
        try:
            parsed: object = orjson.loads(data)
        except orjson.JSONDecodeError:
            return [*self.flush(""), event]
        if not isinstance(parsed, dict):
            return [event]
        fields = cast("dict[str, object]", parsed)
        before = self.flush("") if str(fields.get("type", "")).endswith(_ENDING) else []
        ended = _ended(fields)
        if str(fields.get("type", "")).endswith(_ENDING):
            return [*before, prefix + b"data: " + self.restore.whole(data)]
        self._texts(fields, fields, (), "", prefix, ended)
        for choice in ended:
            before += self.flush(f"/choices/{choice}/")
        return [*before, prefix + b"data: " + orjson.dumps(fields)]

    def _texts(
        self,
        root: dict[str, object],
        value: dict[str, object] | list[object],
        path: tuple[str | int, ...],
        name: str,
        prefix: bytes,
        ended: frozenset[str],
    ) -> None:
        """Restore every text under `value` in place."""
        pairs = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
        for key, item in pairs:
            here = (*path, key)
            part = _part(key, item)
            if isinstance(item, dict | list):
                inner = cast("dict[str, object] | list[object]", item)
                self._texts(root, inner, here, f"{name}/{part}", prefix, ended)
            elif isinstance(item, str):
                known = f"{name}/{part}" + "".join(
                    f"#{value.get(each)}" for each in ("output_index", "item_id", "content_index")
                    if isinstance(value, dict) and each in value
                )  # fmt: skip
                last = any(known.startswith(f"/choices/{choice}/") for choice in ended)
                text = self._next(root, here, known, str(key), item, prefix, last)
                cast("dict[str | int, object]", value)[key] = text

    def _next(
        self,
        root: dict[str, object],
        path: tuple[str | int, ...],
        known: str,
        key: str,
        item: str,
        prefix: bytes,
        last: bool,
    ) -> str:
        held = self.held.pop(known, None)
        text = (held.text if held else "") + item
        restored = self.restore.text(text, key)
        waits = None if last else _OPEN.search(restored)
        if waits is None or len(restored) - waits.start() > LONGEST:
            return restored
        carrier = orjson.loads(orjson.dumps(root))
        self.held[known] = _Held(restored[waits.start() :], carrier, path, prefix)
        return restored[: waits.start()]

    def flush(self, under: str) -> list[bytes]:
        """Events with what still waits: no placeholder after all."""
        out: list[bytes] = []
        for known in [name for name in self.held if name.startswith(under)]:
            held = self.held.pop(known)
            _only(held.carrier, held.path, held.text)
            out.append(held.prefix + b"data: " + orjson.dumps(held.carrier))
        return out


def _split(event: bytes) -> tuple[bytes, bool, bytes]:
    """The lines before the data, whether there are data, and the data."""
    lines = event.split(b"\n")
    data = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
    other = [line for line in lines if not line.startswith(b"data:")]
    return b"".join(line + b"\n" for line in other if line), bool(data), b"\n".join(data)


def _part(key: str | int, item: object) -> str:
    """How a place is known from event to event: items of a list by their own `index`."""
    if isinstance(key, int) and isinstance(item, dict):
        return str(cast("dict[str, object]", item).get("index", key))
    return str(key)


def _ended(fields: dict[str, object]) -> frozenset[str]:
    """The choices that end with this event."""
    choices = fields.get("choices")
    if not isinstance(choices, list):
        return frozenset()
    rows = [cast("dict[str, object]", c) for c in cast("list[object]", choices)
            if isinstance(c, dict)]  # fmt: skip
    return frozenset(
        str(row.get("index", at)) for at, row in enumerate(rows) if row.get("finish_reason")
    )


def _only(carrier: dict[str, object], path: tuple[str | int, ...], text: str) -> None:
    """Make an event say this one text and nothing it has said before."""
    _silence(carrier)
    place = cast("dict[str | int, object]", carrier)
    for key in path[:-1]:
        place = cast("dict[str | int, object]", place[key])
    place[path[-1]] = text


def _silence(value: object) -> None:
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        for key in [
            k for k in fields if k in ("content", "reasoning_content", "text", "arguments")
        ]:
            if isinstance(fields[key], str):
                fields[key] = ""
        for item in fields.values():
            _silence(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            _silence(item)
