"""What an upstream's refusal means: ours, its own, the caller's; and when to come again.

Knows codes and words of errors; connects to nothing and decides no route.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from zhengwu.models.errors import (
    ContentRefused,
    ContextOverflow,
    ModelError,
    UpstreamFailed,
    UpstreamLimited,
    UpstreamRejects,
)
from zhengwu.models.quirks import PLAIN, Meaning, Quirks
from zhengwu.models.upstream import Upstream

OUR_FAULT = frozenset({401, 402, 403, 404, 405})
"""Our account, address or name of the model is wrong: never shown as if it were the caller's."""
ITS_FAULT = frozenset({408, 425, 500, 502, 503, 504, 529})
LONGEST_WAIT_S = 3600.0
WORD = re.compile(r"[\w.-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class ErrorTold:
    """An error as an upstream told it. `names` are its code and type."""

    message: str
    names: tuple[str, ...] = ()


def error_in(body: bytes | str) -> ErrorTold | None:
    """The error in an answer, in whichever shape; None if it is not one."""
    try:
        fields: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return told_in(fields)


def told_in(fields: object) -> ErrorTold | None:
    """The error in a parsed answer: OpenAI's shape, a bare text, or code and message on top."""
    if not isinstance(fields, dict):
        return None
    error: Any = fields.get("error")
    if isinstance(error, dict):
        return _told(error)
    if error:
        return ErrorTold(str(error)[:300])
    answered = fields.keys() & {"choices", "data", "results", "object", "id"}
    if "code" in fields and fields.keys() & {"message", "msg"} and not answered:
        return _told(fields)
    if fields.get("object") == "error" and "message" in fields:
        return _told(fields)
    return None


def _told(error: Mapping[str, Any]) -> ErrorTold:
    message = error.get("message") or error.get("msg") or ""
    names = (str(error[key]) for key in ("code", "type") if error.get(key))
    return ErrorTold(str(message)[:300], tuple(names))


def judge(
    status: int, headers: Mapping[str, str], body: bytes | str, upstream: Upstream
) -> UpstreamFailed | None:
    """The failure that an answer is, or None if it is the caller's own mistake (or no failure).

    Args:
        status: the HTTP status; 200 for an error in the body or in an event.
        headers: `retry-after` and `date` are read.
        body: the answer, or the data of the event.
        upstream: who answered.
    """
    told = error_in(body)
    if told is None and status < 400:
        return None
    told = told or ErrorTold("")
    meaning = _meaning(told, upstream.quirks) or _by_status(status)
    where = f"上游“{upstream.name}”返回 HTTP {status}"
    wait_s = wait_of(headers)
    if meaning == "overflow":
        return ContextOverflow(f"请求超出模型的上下文长度，请缩短后重试。{told.message}", 400)
    if meaning == "refused":
        return ContentRefused("上游的内容安全审核没有通过本次请求，请修改内容后重试", 400)
    if meaning == "rejects":  # its message may repeat our key, so it is not told on
        return UpstreamRejects(f"{where}{_names(told)}，请管理员检查密钥、余额和模型名", 502)
    if meaning == "limited":
        return UpstreamLimited(f"{where} {told.message}".rstrip(), 429, wait_s)
    if meaning == "busy":
        its_own = status if status in ITS_FAULT else 502
        return UpstreamFailed(f"{where} {told.message}".rstrip(), its_own, wait_s)
    if status < 400:  # an error that came as a success, of a kind nobody described
        return UpstreamFailed(f"上游“{upstream.name}”报告错误：{told.message}")
    return None


def _meaning(told: ErrorTold, quirks: Quirks | None) -> Meaning | None:
    for table in (quirks.told if quirks else {}), PLAIN.told:
        for meaning, how in table.items():
            if any(_is(name, code) for name in told.names for code in how.codes):
                return meaning
    message = told.message.lower()
    for table in (quirks.told if quirks else {}), PLAIN.told:
        for meaning, how in table.items():
            if any(words.lower() in message for words in how.words):
                return meaning
    return None


def _is(name: str, code: str) -> bool:
    """Whether `name` is `code` or a kind of it, as `RateLimitExceeded.EndpointRPMExceeded`."""
    return name == code or name.startswith(code + ".")


def _by_status(status: int) -> Meaning | None:
    if status == 429:
        return "limited"
    if status in OUR_FAULT:
        return "rejects"
    return "busy" if status in ITS_FAULT or status >= 500 else None


def _names(told: ErrorTold) -> str:
    names = [name for name in told.names if WORD.fullmatch(name)]
    return f"（{'，'.join(names)}）" if names else ""


def wait_of(headers: Mapping[str, str]) -> float | None:
    """Seconds that `retry-after` asks for, at most an hour.

    A date is taken against the upstream's own clock where it told that: ours may differ.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return min(float(text), LONGEST_WAIT_S)
    until = _date(text)
    if until is None:
        return None
    now = _date(headers.get("date", "")) or datetime.now(UTC)
    return min(max((until - now).total_seconds(), 0.0), LONGEST_WAIT_S)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def reason(error: ModelError) -> str:
    """Why, for the trace: no word that the upstream wrote, as it may repeat the request."""
    if isinstance(error, UpstreamFailed):
        return f"HTTP {error.status}"
    return str(error)[:300]
