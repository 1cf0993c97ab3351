"""An intent and an outcome as lines of a journal. Knows the words of `ports.py`; opens no file.

A text is masked before it becomes a line, so a journal holds no personal data either.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from zhengwu.gateway.audit.digest import sm3
from zhengwu.gateway.governed.ports import Intent, Outcome
from zhengwu.pii.detect import mask

Mask = Callable[[str], str]
MAX_TEXT = 20_000
MAX_NAME = 200


def intent_line(number: int, intent: Intent, conceal: Mask = mask) -> bytes:
    """What is written before the upstream is called."""
    caller, reserved = intent.caller, intent.reserved
    line: dict[str, Any] = {
        "k": "i",
        "n": number,
        "request_id": intent.request_id[:MAX_NAME],
        "started": intent.started,
        "tenant_path": caller.tenant_path,
        "key": caller.key_id,
        "user": caller.user_id,
        "role": caller.role,
        "route": intent.route,
        "model": intent.model[:MAX_NAME],
        "grade": intent.grade,
        "grade_reason": intent.grade_reason[:MAX_NAME],
        "input_digest": intent.input_digest,
        "stream": intent.stream,
        "reserved": [reserved.input_tokens, reserved.output_tokens, reserved.cost],
    }
    if intent.text is not None and caller.keep_text:
        line["text"] = conceal(intent.text[:MAX_TEXT])
    return _encode(line)


def outcome_line(number: int, outcome: Outcome, keep_text: bool, conceal: Mask = mask) -> bytes:
    """What is written when it is over."""
    spent = outcome.spent
    line: dict[str, Any] = {
        "k": "o",
        "n": number,
        "status": outcome.status,
        "outcome": outcome.outcome,
        "code": outcome.code,
        "attempts": [
            [a.upstream, a.outcome, round(a.milliseconds, 1), a.why] for a in outcome.attempts
        ],
        "upstream": outcome.upstream,
        "spent": [spent.input_tokens, spent.output_tokens, spent.cost],
        "output_digest": outcome.output_digest,
        "energy_wh": outcome.energy_wh,
        "co2e_g": outcome.co2e_g,
        "first_token_ms": outcome.first_token_ms,
        "total_ms": round(outcome.total_ms, 1),
        "notes": dict(outcome.notes),
    }
    if outcome.text is not None and keep_text:
        line["text"] = conceal(outcome.text[:MAX_TEXT])
    return _encode(line)


def torn(number: int, data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """A pair that stands for a line that was cut by a loss of power."""
    intent = {"n": number, "request_id": f"torn-{sm3(data)[:16]}", "input_digest": sm3(data)}
    return intent, lost(number, "torn_line")


def lost(number: int, code: str = "process_ended") -> dict[str, Any]:
    """The outcome of an intent whose process ended before it wrote one: nobody knows."""
    return {"n": number, "status": 0, "outcome": "lost", "code": code}


def _encode(line: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # half of a surrogate pair in a name that a caller wrote
        return orjson.dumps(_mended(line), option=orjson.OPT_APPEND_NEWLINE)


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_mended(str(k)): _mended(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(v) for v in value]
    return value
