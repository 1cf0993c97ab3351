"""A call as one upstream wants it: its own name of the model, its own parameters.

The body is parsed at most once, and not at all where its bytes show where the name stands.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from zhengwu.models.errors import ModelError
from zhengwu.models.quirks import Quirks
from zhengwu.models.upstream import Call, Upstream

CHAT = "chat/completions"
KEY = b'"model"'
NAME = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")')
FIRST = re.compile(rb'\s*\{\s*"model"\s*:')


def shaped(call: Call, upstream: Upstream) -> Call:
    """Return `call` with the upstream's own name of the model and what its quirks ask for.

    Raises:
        ModelError: the body is not a JSON object.
    """
    if call.content_type != "application/json" or not call.body:
        return call
    quirks = upstream.quirks
    if quirks and quirks.changes_requests and call.path == CHAT:
        fields = call.fields if call.fields is not None else parse(call.body)
        changed = _changed(fields, quirks, call.stream)
        if changed != fields:
            return replace(call, body=orjson.dumps({**changed, "model": upstream.model}))
    return replace(call, body=_named(call, upstream.model))


def parse(body: bytes) -> Mapping[str, Any]:
    """The JSON object in `body`.

    Raises:
        ModelError: it is not one.
    """
    try:
        fields: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ModelError(f"请求体不是合法的 JSON：{error}") from error
    if not isinstance(fields, dict):
        raise ModelError("请求体应为 JSON 对象")
    return fields


def _named(call: Call, model: str) -> bytes:
    """The body with its top-level `model` replaced, the rest untouched where that is certain.

    Certain it is when the key is written once: then it is the top-level one if that exists, and
    it exists if it comes first or a parse has shown it. An escaped spelling of the key would
    need backslash-u-006.
    """
    body = call.body
    if body.count(KEY) == 1 and b"\\u006" not in body:
        first = FIRST.match(body)
        if first or "model" in (call.fields if call.fields is not None else parse(body)):
            found = NAME.search(body)
            if found and body[found.start() - 1 : found.start()] != b"\\":
                return body[: found.start(1)] + orjson.dumps(model) + body[found.end(1) :]
    fields = call.fields if call.fields is not None else parse(body)
    return orjson.dumps({**fields, "model": model})


def _changed(fields: Mapping[str, Any], quirks: Quirks, stream: bool) -> Mapping[str, Any]:
    changed = {
        quirks.rename.get(name, name): value
        for name, value in fields.items()
        if name not in quirks.drop
    }
    for name, (least, greatest) in quirks.within.items():
        value = changed.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            changed[name] = type(value)(min(max(value, least), greatest))
    if not stream:
        changed |= quirks.whole
    return changed
