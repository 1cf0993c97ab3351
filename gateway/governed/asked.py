"""One request to a model as the governed path takes it, and what is known of it on the way."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.grade import Graded
from zhengwu.gateway.governed.meter import Meter
from zhengwu.gateway.governed.ports import Ask, Reservation
from zhengwu.gateway.served import ServedModel
from zhengwu.models.attempts import Attempts
from zhengwu.models.cards import Kind
from zhengwu.models.upstream import Call


@dataclass(frozen=True)
class Asked:
    """A request of an authenticated caller.

    Attributes:
        caller: Who pays, and whose rights bound it.
        path: At the upstream, for instance `chat/completions`.
        body: JSON; its `model` names the route.
        request_id: Names it in the audit trail and at the upstream.
        kind: The kind of model that this path takes.
        route: The path that the caller asked, for the records.
        declared: The header `X-Data-Grade` as it came.
        session: The header `X-Session-ID` as it came.
        knowledge: The highest grade of what the request quotes or continues.
        headers: Those of the caller that may go further, see `egress.PASSED_HEADERS`.
        deadline_s: How long the caller waits for an answer to begin; None is for ever.
    """

    caller: Caller
    path: str
    body: bytes
    request_id: str
    kind: Kind = "chat"
    route: str = ""
    declared: str | None = None
    session: str | None = None
    knowledge: int = 1
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    deadline_s: float | None = None


class Passage:
    """One request on its way: every step adds what it finds out. Not shared between tasks."""

    __slots__ = (
        "ask",
        "asked",
        "attempts",
        "began",
        "call",
        "fields",
        "graded",
        "intended",
        "meter",
        "model",
        "reservation",
        "started",
        "stream",
    )

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.began = time.perf_counter()
        self.started = time.time()
        self.fields: dict[str, Any] = {}
        self.stream = False
        self.model: ServedModel | None = None
        self.graded: Graded | None = None
        self.ask = Ask(asked.request_id, "", 0, 0, 0)
        self.call: Call | None = None
        self.reservation: Reservation | None = None
        self.intended = False
        self.attempts = Attempts()
        self.meter = Meter(self.began)

    @property
    def name(self) -> str:
        """The model's own name; empty while it is not known."""
        return self.model.name if self.model else ""

    @property
    def grade(self) -> int:
        """The effective grade; 0 while it is not known."""
        return self.graded.grade if self.graded else 0
