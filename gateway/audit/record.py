"""What one record says: its canonical bytes, and the columns that repeat a part of it.

Knows no database: `chain.py` writes records, `verify.py` compares columns and body.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import orjson

from zhengwu.gateway.audit.digest import sm3
from zhengwu.gateway.audit.read import Pair

CHINA = timezone(timedelta(hours=8))
REQUEST, ADMIN = "request", "admin"
Body = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A record on its way into the chain. `facts` is its body but for its place.

    `texts` are masked copies by part (`question`, `answer`), only of a tenant that opted in.
    """

    id: str
    facts: Mapping[str, Any]
    texts: Mapping[str, str] = field(default_factory=dict[str, str])


def canonical(body: Mapping[str, Any]) -> bytes:
    """The bytes of a body: JSON without spaces, keys sorted, UTF-8."""
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def of_pair(pair: Pair, moved: datetime) -> Entry:
    """The record of one request. What a lost outcome did not say stays zero or empty."""
    began, ended = pair.intent, pair.outcome
    started = began.get("started")
    at = datetime.fromtimestamp(started, UTC) if started is not None else moved
    spent = ended.get("spent") or (0, 0, 0)
    texts = {
        part: line["text"].replace("\x00", "")  # PostgreSQL knows no NUL
        for part, line in (("question", began), ("answer", ended))
        if line.get("text") is not None
    }
    facts: Body = {
        "id": pair.id,
        "kind": REQUEST,
        "at": at.isoformat(timespec="microseconds"),
        "request_id": began.get("request_id", ""),
        "tenant_path": list(began.get("tenant_path") or ()),
        "key": began.get("key", ""),
        "user": began.get("user") or "",
        "role": began.get("role", ""),
        "route": began.get("route", ""),
        "model": began.get("model", ""),
        "stream": bool(began.get("stream")),
        "grade": began.get("grade", 0),
        "grade_reason": began.get("grade_reason", ""),
        "reserved": began.get("reserved") or [0, 0, 0],
        "input_digest": began.get("input_digest", ""),
        "upstream": ended.get("upstream", ""),
        "attempts": ended.get("attempts") or [],
        "status": ended.get("status", 0),
        "outcome": ended.get("outcome", ""),
        "code": ended.get("code", ""),
        "input_tokens": spent[0],
        "output_tokens": spent[1],
        "cost": spent[2],
        "energy_wh": ended.get("energy_wh", 0.0),
        "co2e_g": ended.get("co2e_g", 0.0),
        "output_digest": ended.get("output_digest", ""),
        "first_token_ms": ended.get("first_token_ms"),
        "total_ms": ended.get("total_ms", 0.0),
        "notes": ended.get("notes") or {},
        "text_digests": {part: sm3(text.encode()) for part, text in texts.items()},
    }
    return Entry(pair.id, facts, texts)


@dataclass(frozen=True)
class AdminAction:
    """What an administrator did. `details` names ids and settings, never a secret or a text."""

    id: str
    actor: str
    """The id of the user or key that acted."""
    role: str
    action: str
    """For instance `key.create`, `tenant.change`, `audit.prune`."""
    target: str
    at: datetime
    tenant_path: tuple[str, ...] = ()
    request_id: str = ""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


def of_action(action: AdminAction) -> Entry:
    """The record of one administrative action."""
    facts: Body = {
        "id": f"admin:{action.id}",
        "kind": ADMIN,
        "at": action.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "request_id": action.request_id,
        "tenant_path": list(action.tenant_path),
        "user": action.actor,
        "role": action.role,
        "action": action.action,
        "target": action.target,
        "details": dict(action.details),
    }
    return Entry(f"admin:{action.id}", facts)


def columns(body: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a record but for `body` and `digest`, from its body alone."""
    path = [str(tenant) for tenant in body.get("tenant_path", ())]
    at = datetime.fromisoformat(body["at"])
    return {
        "seq": body["seq"],
        "id": body["id"],
        "kind": body["kind"],
        "at": at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
        "day": china_day(at).isoformat(),
        "request_id": _column(body.get("request_id"), 200),
        "tenant": _column(path[-1] if path else "", 64),
        "path": _column("/" + "".join(f"{tenant}/" for tenant in path) if path else "", 400),
        "key_id": _column(body.get("key"), 64),
        "user_id": _column(body.get("user"), 64),
        "model": _column(body.get("model"), 200),
        "upstream": _column(body.get("upstream"), 200),
        "status": body.get("status", 0),
        "outcome": _column(body.get("outcome", body.get("action")), 64),
        "grade": body.get("grade", 0),
        "input_tokens": body.get("input_tokens", 0),
        "output_tokens": body.get("output_tokens", 0),
        "cost": body.get("cost", 0),
        "energy_wh": float(body.get("energy_wh", 0)),
        "co2e_g": float(body.get("co2e_g", 0)),
        "total_ms": float(body.get("total_ms", 0)),
    }


def china_day(at: datetime) -> date:
    """The day of a moment in China."""
    return at.astimezone(CHINA).date()


def _column(value: object, width: int) -> str:
    """A column's text: PostgreSQL knows no NUL, and cuts nothing by itself."""
    return str(value or "").replace("\x00", "")[:width]
