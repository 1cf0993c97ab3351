"""Everything in a request's JSON that can be read, and what cannot be looked into.

Strings anywhere, keys and numbers too; JSON inside strings; text inside `data:` URLs; parts of
one message also joined, as the model reads them. Knows nothing of grades.
"""

import base64
import binascii
import math
import re
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import unquote_to_bytes

import orjson

MAX_DEPTH = 64
MAX_LAYERS = 4
"""How many times something may be wrapped in JSON or base64 and still be read."""
_DATA_URL = re.compile(r"\s*data:([^,;]*)((?:;[^,;]*)*),", re.IGNORECASE)
_READABLE = re.compile(
    r"(?:text/.*|application/(?:json|xml|yaml|x-yaml|javascript|csv|x-ndjson|.*\+(?:json|xml)))?",
    re.IGNORECASE,
)
_OPAQUE_PARTS = frozenset(
    {
        *("image_url", "input_image", "image", "input_audio", "audio", "audio_url", "video"),
        *("video_url", "input_video", "file", "input_file", "document"),
    }
)
_ADDRESSES = ("image_url", "audio_url", "video_url", "file_url", "server_url")
_TOKEN_LISTS = frozenset({"input", "prompt", "documents", "query"})
_MIN_NUMBER = 10**6


@dataclass
class Contents:
    """What one body holds.

    `unread` names what could not be looked into; `remote` are addresses that whoever answers
    would have to open.
    """

    texts: list[str] = field(default_factory=list[str])
    unread: set[str] = field(default_factory=set[str])
    remote: set[str] = field(default_factory=set[str])


def contents_of(body: object) -> Contents:
    """Read a whole body."""
    found = Contents()
    _read(body, found, 0, 0)
    return found


def _read(value: object, found: Contents, depth: int, layer: int) -> None:
    if depth > MAX_DEPTH or layer > MAX_LAYERS:
        found.unread.add("嵌套过深的内容")
    elif isinstance(value, str):
        _read_text(value, found, depth, layer)
    elif isinstance(value, dict):
        _read_object(cast("dict[str, object]", value), found, depth, layer)
    elif isinstance(value, list):
        items = cast("list[object]", value)
        for item in items:
            _read(item, found, depth + 1, layer)
        _join_parts(items, found)
    elif isinstance(value, int | float) and abs(value) >= _MIN_NUMBER:
        found.texts.append(_digits(value))


def _read_object(value: dict[str, object], found: Contents, depth: int, layer: int) -> None:
    for key, item in value.items():
        if isinstance(item, str) and not key.isascii():
            found.texts.append(f"{key}：{item}")  # a form's field says what its value is
        _read_text(key, found, depth, layer)
        if key in _TOKEN_LISTS and _is_tokens(item):
            found.unread.add("词元序列")
        _read(item, found, depth + 1, layer)
    _note_part(value, found)


def _digits(value: float) -> str:
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)


def _read_text(text: str, found: Contents, depth: int, layer: int) -> None:
    head = text[:64].lstrip()
    if head[:5].lower() == "data:" and (match := _DATA_URL.match(text)):
        _read_data(match, text[match.end() :], found, depth, layer)
        return
    if not text:
        return
    found.texts.append(text)
    if head[:1] in ("{", "[", '"'):
        try:
            inner: object = orjson.loads(text)
        except orjson.JSONDecodeError:
            return
        _read(inner, found, depth + 1, layer + 1)


def _read_data(match: re.Match[str], rest: str, found: Contents, depth: int, layer: int) -> None:
    kind, options = match[1].strip(), match[2].lower()
    if not _READABLE.fullmatch(kind):
        found.unread.add(_kind_name(kind))
        return
    try:
        raw = unquote_to_bytes(rest)
        if ";base64" in options:
            raw = base64.b64decode(re.sub(rb"\s", b"", raw), validate=True)
        text = raw.decode("utf-8")
    except (binascii.Error, ValueError):
        found.unread.add("无法解码的附件")
        return
    _read(text, found, depth + 1, layer + 1)


def _kind_name(kind: str) -> str:
    for word, name in (("image", "图片"), ("audio", "音频"), ("video", "视频")):
        if word in kind.lower():
            return name
    return "附件"


def _note_part(value: dict[str, object], found: Contents) -> None:
    """Note a part that is no text, by its `type` or its fields."""
    kind = value.get("type")
    if isinstance(kind, str) and kind in _OPAQUE_PARTS and not _is_schema(value):
        if not _is_data_url(value.get("file_data")) and not _is_data_url(_field(value, "file")):
            found.unread.add(_kind_name(kind))
    for key in _ADDRESSES:
        given = value.get(key)
        given = _field(value, key) if isinstance(given, dict) else given
        if isinstance(given, str) and not _is_data_url(given):
            found.remote.add(key)
    if isinstance(value.get("file_id"), str):
        found.unread.add("附件")


def _field(value: dict[str, object], key: str) -> object:
    """What an address or a file says where it is an object of its own."""
    inner = value.get(key)
    if not isinstance(inner, dict):
        return None
    fields = cast("dict[str, object]", inner)
    return fields.get("file_data") or fields.get("url")


def _is_data_url(value: object) -> bool:
    return isinstance(value, str) and value[:64].lstrip()[:5].lower() == "data:"


def _is_schema(value: dict[str, object]) -> bool:
    """Whether this is a JSON schema, whose `type` is a word of its own."""
    return "properties" in value or "enum" in value


def _is_tokens(value: object) -> bool:
    if not isinstance(value, list) or not value:
        return False
    first = cast("list[object]", value)[0]
    return _is_tokens(first) if isinstance(first, list) else isinstance(first, int)


def _join_parts(items: list[object], found: Contents) -> None:
    """The text parts of one message as one text: a number may be cut between two of them."""
    parts = [cast("dict[str, object]", item) for item in items if isinstance(item, dict)]
    texts = [text for part in parts if isinstance(text := part.get("text"), str)]
    if len(texts) > 1:
        found.texts.append("".join(texts))
