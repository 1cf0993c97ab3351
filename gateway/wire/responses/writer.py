"""From pieces of a chat completion to the events of one response, and to the response itself.

A pure machine: the same pieces give the same events, however the bytes that carried them were
cut. Knows no connection and no store.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from uuid import uuid4

from zhengwu.gateway.wire.piece import CallPiece, Piece, Spend
from zhengwu.gateway.wire.responses.parts import (
    CallItem,
    Event,
    Item,
    Logprobs,
    PartKind,
    Status,
    TextItem,
)
from zhengwu.gateway.wire.responses.request import ResponsesBody

ENDS: Mapping[str, tuple[str, str | None]] = {
    "length": ("incomplete", "max_output_tokens"),
    "content_filter": ("incomplete", "content_filter"),
}
"""A finish reason → the status of the response, and why it is incomplete."""


def new_id(prefix: str) -> str:
    """A fresh id, for instance `resp_…`."""
    return f"{prefix}_{uuid4().hex}"


class ResponseWriter:
    """Writes one response."""

    def __init__(
        self,
        body: ResponsesBody,
        response_id: str,
        make_id: Callable[[str], str] = new_id,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.id = response_id
        self._body = body
        self._make_id = make_id
        self._clock = clock
        self._created = int(clock())
        self._items: list[Item] = []
        self._text: TextItem | None = None
        self._calls: dict[int, CallItem] = {}
        self._finish = "stop"
        self._spend: Spend | None = None
        self._model = body.model
        self._status = "in_progress"
        self._error: Event | None = None
        self._reason: str | None = None
        self._ended: int | None = None
        self._number = 0

    def begin(self) -> Iterator[Event]:
        """The events before the first piece."""
        for kind in ("created", "in_progress"):
            yield self._numbered({"type": f"response.{kind}", "response": self.show()})

    def add(self, piece: Piece) -> Iterator[Event]:
        """The events of one piece."""
        self._model = piece.model or self._model
        self._spend = piece.spend or self._spend
        self._finish = piece.finish or self._finish
        for event in self._events(piece):
            yield self._numbered(event)

    def end(self) -> Iterator[Event]:
        """The events after the last piece: completed, or incomplete with its reason."""
        self._status, self._reason = ENDS.get(self._finish, ("completed", None))
        if not self._items and self._status == "completed":
            yield from map(self._numbered, self._open_text("output_text"))
        yield from self._close("completed" if self._status == "completed" else "incomplete")
        yield self._last()

    def fail(self, code: str, message: str) -> Iterator[Event]:
        """The event of a failure; what was written before stays in the response, unfinished."""
        yield from self._stop("failed", {"code": code, "message": message})

    def cancel(self) -> Iterator[Event]:
        """The event of a cancelled response: `response.incomplete` is the nearest there is."""
        yield from self._stop("cancelled", None)

    def show(self) -> Event:
        """The response by now."""
        body, reason = self._body, self._reason
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "completed_at": self._ended if self._status == "completed" else None,
            "status": self._status,
            "background": bool(body.background),
            "error": self._error,
            "incomplete_details": {"reason": reason} if reason else None,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "metadata": body.metadata or {},
            "model": self._model,
            "output": [item.show() for item in self._items],
            "parallel_tool_calls": body.parallel_tool_calls is not False,
            "previous_response_id": body.previous_response_id,
            "reasoning": {"effort": body.reasoning.effort if body.reasoning else None},
            "store": body.keeps,
            "temperature": body.temperature,
            "text": {"format": (body.text and body.text.format) or {"type": "text"}},
            "tool_choice": body.tool_choice or "auto",
            "tools": [{"strict": None, "parameters": None, **tool} for tool in body.tools],
            "top_logprobs": body.top_logprobs,
            "top_p": body.top_p,
            "truncation": "disabled",
            "usage": _usage(self._spend) if self._spend else None,
        }

    def _events(self, piece: Piece) -> Iterator[Event]:
        if piece.reasoning:
            yield from self._say("reasoning_text", piece.reasoning)
        if piece.refusal:
            yield from self._say("refusal", piece.refusal)
        if piece.text:
            yield from self._say("output_text", piece.text, piece.logprobs)
        for call in piece.calls:
            yield from self._call(call)

    def _say(self, part: PartKind, text: str, logprobs: Logprobs = ()) -> Iterator[Event]:
        if self._text is None or self._text.part_kind != part:
            yield from self._open_text(part)
        if self._text:
            yield self._text.add(text, logprobs)

    def _open_text(self, part: PartKind) -> Iterator[Event]:
        yield from self._close_text("completed")
        kind = "reasoning" if part == "reasoning_text" else "message"
        made = self._make_id("rs" if kind == "reasoning" else "msg")
        self._text = TextItem(made, len(self._items), kind, part)
        self._items.append(self._text)
        yield from self._text.begin()

    def _call(self, piece: CallPiece) -> Iterator[Event]:
        yield from self._close_text("completed")
        if piece.index not in self._calls:
            call_id = piece.call_id or self._make_id("call")
            item = CallItem(self._make_id("fc"), len(self._items), call_id, piece.name)
            self._calls[piece.index] = item
            self._items.append(item)
            yield from item.begin()
        event = self._calls[piece.index].add(piece)
        if event:
            yield event

    def _close_text(self, status: Status) -> Iterator[Event]:
        if self._text:
            yield from self._text.end(status)
        self._text = None

    def _close(self, status: Status) -> Iterator[Event]:
        for event in self._close_text(status):
            yield self._numbered(event)
        for call in self._calls.values():
            for event in call.end(status):
                yield self._numbered(event)
        self._calls = {}

    def _stop(self, status: str, error: Event | None) -> Iterator[Event]:
        yield from self._close("incomplete")
        self._status, self._error = status, error
        yield self._last()

    def _last(self) -> Event:
        self._ended = int(self._clock())
        kind = {"completed": "completed", "failed": "failed"}.get(self._status, "incomplete")
        return self._numbered({"type": f"response.{kind}", "response": self.show()})

    def _numbered(self, event: Event) -> Event:
        event["sequence_number"] = self._number
        self._number += 1
        return event


def _usage(spend: Spend) -> Event:
    return {
        "input_tokens": spend.input,
        "input_tokens_details": {"cached_tokens": spend.cached, "cache_write_tokens": 0},
        "output_tokens": spend.output,
        "output_tokens_details": {"reasoning_tokens": spend.reasoning},
        "total_tokens": spend.input + spend.output,
    }
