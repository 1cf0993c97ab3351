"""Signed statements about the chain: how far it goes (the state), and where a day ended (a head).

Knows their bytes and signatures; knows no database.
"""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import orjson

from zhengwu.gateway.audit.digest import EMPTY, sm3
from zhengwu.gateway.audit.keys import SigningKey, Trusted
from zhengwu.gateway.audit.record import canonical, china_day


@dataclass(frozen=True)
class State:
    """How far the chain goes. Records up to `pruned_seq` are gone, after their time.

    `head_digest` is that of the newest head, number `heads`.
    """

    seq: int = 0
    digest: str = EMPTY
    at: str = ""
    day: str = ""
    pruned_seq: int = 0
    pruned_digest: str = EMPTY
    heads: int = 0
    head_digest: str = EMPTY
    key: str = ""
    type: Literal["state"] = "state"

    def at_moment(self, moment: datetime) -> "State":
        """This state as said at `moment`."""
        at = moment.astimezone(UTC).isoformat(timespec="seconds")
        return replace(self, at=at, day=china_day(moment).isoformat())


@dataclass(frozen=True)
class Head:
    """The end of the records that were moved on `day`, and the head before."""

    number: int
    day: str
    seq: int
    digest: str
    before: str
    at: str
    key: str = ""
    type: Literal["head"] = "head"


@dataclass(frozen=True)
class Sealed:
    """The bytes of a statement, and their signature."""

    body: bytes
    signature: str

    @property
    def digest(self) -> str:
        """SM3 of the bytes."""
        return sm3(self.body)

    def line(self) -> bytes:
        """One line of the heads file."""
        told = {"body": self.body.decode(), "signature": self.signature}
        return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


T = TypeVar("T", State, Head)


def seal(statement: State | Head, key: SigningKey) -> Sealed:
    """Sign a statement."""
    body = canonical(asdict(replace(statement, key=key.id)))
    return Sealed(body, key.sign(body))


def genuine(sealed: Sealed, trusted: Trusted) -> bool:
    """Whether a trusted key signed it."""
    key = _fields(sealed.body).get("key", "")
    return trusted.verifies(str(key), sealed.body, sealed.signature)


def read_state(body: bytes) -> State | None:
    """The state that `body` says, None if it says none."""
    return _read(State, "state", body)


def read_head(body: bytes) -> Head | None:
    """The head that `body` says, None if it says none."""
    return _read(Head, "head", body)


def _read(kind: type[T], name: str, body: bytes) -> T | None:
    fields = _fields(body)
    if fields.get("type") != name:
        return None
    try:
        return kind(**fields)
    except TypeError:
        return None


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}
