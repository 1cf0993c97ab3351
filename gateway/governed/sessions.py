"""What a conversation carried before: its highest grade, kept in memory and in the database.

Only digests of session ids are kept, since an id may itself name a person. Knows no request.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from zhengwu.gateway.governed.caller import Caller

SESSION_HEADER = "x-session-id"
MAX_ID = 512
KEPT = 100_000


class Sessions(Protocol):
    """Remembers grades by session. Several gateways share one through the database."""

    async def grade(self, keys: Sequence[str]) -> int:
        """The highest grade that any of these carried; 1 if none is known."""
        ...

    async def carry(self, keys: Sequence[str], grade: int) -> None:
        """From now on each of these has at least this grade. Kept when this returns."""
        ...


class LocalSessions:
    """Sessions of one process. Bounded: the one longest unused is forgotten first."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._grades: OrderedDict[str, int] = OrderedDict()

    async def grade(self, keys: Sequence[str]) -> int:
        """The highest grade that any of these carried."""
        found = [self._grades[key] for key in keys if key in self._grades]
        for key in keys:
            if key in self._grades:
                self._grades.move_to_end(key)
        return max(found, default=1)

    def knows(self, key: str) -> bool:
        """Whether anything is known of this one."""
        return key in self._grades

    async def carry(self, keys: Sequence[str], grade: int) -> None:
        """Raise each to at least this grade."""
        for key in keys:
            self._grades[key] = max(grade, self._grades.pop(key, 1))
        while len(self._grades) > self._kept:
            self._grades.popitem(last=False)


def session_ids(header: str | None, body: object) -> tuple[str, ...]:
    """Every name by which a request says which conversation it belongs to.

    The header `X-Session-ID`, and of the body `user`, `conversation`, `previous_response_id`,
    `metadata.conversation`, `metadata.session_id`. All count, so leaving one away or adding one
    does not make a conversation forget.
    """
    found: list[tuple[str, object]] = [("session", header)]
    if isinstance(body, Mapping):
        fields = cast("Mapping[str, object]", body)
        found += [(name, fields.get(name)) for name in ("user", "previous_response_id")]
        found.append(("conversation", fields.get("conversation")))
        metadata = fields.get("metadata")
        if isinstance(metadata, Mapping):
            kept = cast("Mapping[str, object]", metadata)
            found += [(name, kept.get(name)) for name in ("conversation", "session_id")]
    named = [(kind, _id_of(value)) for kind, value in found]
    return tuple(f"{kind}:{name[:MAX_ID]}" for kind, name in named if name)


def session_keys(caller: Caller, ids: Sequence[str]) -> tuple[str, ...]:
    """Digests of ids, each within its tenant: nobody meets another tenant's conversation."""
    scope = caller.tenant_id or caller.key_id
    return tuple(hashlib.sha256(f"{scope}\n{each}".encode()).hexdigest() for each in ids)


def _id_of(value: object) -> str:
    """A name, or the `id` of an object that has one; empty for anything else."""
    if isinstance(value, Mapping):
        value = cast("Mapping[str, object]", value).get("id")
    return value.strip() if isinstance(value, str) else ""
