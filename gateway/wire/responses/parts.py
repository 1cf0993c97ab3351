"""The output items of one response while they are written: thoughts, a message, calls.

Each item turns what comes in into events and keeps what it has become. Knows no connection.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from zhengwu.gateway.wire.piece import CallPiece

Event = dict[str, Any]
Status = Literal["in_progress", "completed", "incomplete"]
PartKind = Literal["output_text", "refusal", "reasoning_text"]
Logprobs = tuple[Mapping[str, Any], ...]


class Item(Protocol):
    """An item of the output."""

    def begin(self) -> Iterator[Event]:
        """The events that open it."""
        ...

    def end(self, status: Status) -> Iterator[Event]:
        """The events that close it."""
        ...

    def show(self) -> Event:
        """What it is by now."""
        ...


@dataclass
class TextItem:
    """A message, or the thoughts before it: one part of text."""

    id: str
    at: int
    kind: Literal["message", "reasoning"]
    part_kind: PartKind
    text: str = ""
    status: Status = "in_progress"
    open: bool = False
    logprobs: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])

    @property
    def _event(self) -> str:
        return f"response.{self.part_kind}"

    def begin(self) -> Iterator[Event]:
        """The events that open it."""
        yield {"type": "response.output_item.added", "output_index": self.at, "item": self.show()}
        self.open = True
        yield {"type": "response.content_part.added", **self._place(), "part": self._part()}

    def add(self, text: str, logprobs: Logprobs = ()) -> Event:
        """The event of more text."""
        self.text += text
        self.logprobs += logprobs
        event: Event = {"type": f"{self._event}.delta", **self._place(), "delta": text}
        if self.part_kind == "output_text":
            event["logprobs"] = [*logprobs]
        return event

    def end(self, status: Status) -> Iterator[Event]:
        """The events that close it."""
        self.status = status
        name = "refusal" if self.part_kind == "refusal" else "text"
        done: Event = {"type": f"{self._event}.done", **self._place(), name: self.text}
        if self.part_kind == "output_text":
            done["logprobs"] = [*self.logprobs]
        yield done
        yield {"type": "response.content_part.done", **self._place(), "part": self._part()}
        yield {"type": "response.output_item.done", "output_index": self.at, "item": self.show()}

    def show(self) -> Event:
        """What it is by now."""
        shown: Event = {"id": self.id, "type": self.kind, "status": self.status}
        shown["content"] = [self._part()] if self.open else []
        return shown | ({"role": "assistant"} if self.kind == "message" else {"summary": []})

    def _place(self) -> Event:
        return {"item_id": self.id, "output_index": self.at, "content_index": 0}

    def _part(self) -> Event:
        if self.part_kind == "refusal":
            return {"type": "refusal", "refusal": self.text}
        if self.part_kind == "reasoning_text":
            return {"type": "reasoning_text", "text": self.text}
        return {
            "type": "output_text",
            "text": self.text,
            "annotations": [],
            "logprobs": [*self.logprobs],
        }


@dataclass
class CallItem:
    """A call of one of the caller's functions."""

    id: str
    at: int
    call_id: str
    name: str
    arguments: str = ""
    status: Status = "in_progress"

    def begin(self) -> Iterator[Event]:
        """The event that opens it."""
        yield {"type": "response.output_item.added", "output_index": self.at, "item": self.show()}

    def add(self, piece: CallPiece) -> Event | None:
        """The event of more arguments, if there are more."""
        if not piece.arguments:
            return None
        self.arguments += piece.arguments
        kind = "response.function_call_arguments.delta"
        return {"type": kind, **self._place(), "delta": piece.arguments}

    def end(self, status: Status) -> Iterator[Event]:
        """The events that close it."""
        self.status = status
        kind = "response.function_call_arguments.done"
        yield {"type": kind, **self._place(), "name": self.name, "arguments": self.arguments}
        yield {"type": "response.output_item.done", "output_index": self.at, "item": self.show()}

    def show(self) -> Event:
        """What it is by now."""
        return {
            "id": self.id,
            "type": "function_call",
            "status": self.status,
            "call_id": self.call_id,
            "name": self.name,
            "arguments": self.arguments,
        }

    def _place(self) -> Event:
        return {"item_id": self.id, "output_index": self.at}
