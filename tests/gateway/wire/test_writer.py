"""However the bytes of a stream are cut, its events are the same."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.wire.scripted import USAGE, chunk

from zhengwu.gateway.wire.asked import Opened
from zhengwu.gateway.wire.piece import read_piece
from zhengwu.gateway.wire.responses.parts import Event
from zhengwu.gateway.wire.responses.request import ResponsesBody
from zhengwu.gateway.wire.responses.writer import ResponseWriter

WORDS = st.text(min_size=1, max_size=6)
DELTAS = st.one_of(
    WORDS.map(lambda word: {"content": word}),
    WORDS.map(lambda word: {"reasoning_content": word}),
    st.tuples(st.integers(0, 2), WORDS).map(
        lambda call: {"tool_calls": [{"index": call[0], "function": {"arguments": call[1]}}]}
    ),
)
FINISH = st.sampled_from(["stop", "length", "tool_calls", "content_filter"])


class Cut:
    """A reply whose body comes in the given pieces."""

    status = 200
    headers: Mapping[str, str] = {}

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def written(pieces: Sequence[bytes]) -> list[Event]:
    numbers = iter(range(1000))
    body = ResponsesBody(model="chat", input="您好")
    writer = ResponseWriter(body, "resp_1", lambda kind: f"{kind}_{next(numbers)}", lambda: 1.0)

    async def write() -> list[Event]:
        events = [*writer.begin()]
        async for data in Opened(Cut(pieces), 1).events():
            events += writer.add(read_piece(data))
        return [*events, *writer.end()]

    return json.loads(json.dumps(asyncio.run(write())))


def raw(deltas: Sequence[dict[str, Any]], finish: str, newline: str) -> bytes:
    events = [
        *(chunk(delta) for delta in deltas),
        chunk({}, finish),
        {"choices": [], "usage": USAGE},
    ]
    data = [json.dumps(event, ensure_ascii=False) for event in events]
    return "".join(f"data: {one}{newline}{newline}" for one in [*data, "[DONE]"]).encode()


@given(
    st.lists(DELTAS, max_size=8),
    FINISH,
    st.sampled_from(["\n", "\r\n"]),
    st.lists(st.integers(0, 4000), max_size=12),
)
def test_any_cutting_gives_the_same_events(
    deltas: list[dict[str, Any]], finish: str, newline: str, cuts: list[int]
) -> None:
    whole = raw(deltas, finish, newline)
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[a:b] for a, b in zip(places, places[1:], strict=False)]
    events = written(pieces)
    assert events == written([whole])
    _check(events, deltas)


def _check(events: list[Event], deltas: list[dict[str, Any]]) -> None:
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    last = events[-1]["response"]
    for kind, key in (("output_text", "content"), ("reasoning_text", "reasoning_content")):
        said = "".join(str(delta.get(key, "")) for delta in deltas)
        parts = [p for item in last["output"] for p in item.get("content", ()) if p["type"] == kind]
        assert "".join(part["text"] for part in parts) == said
        told = [e["delta"] for e in events if e["type"] == f"response.{kind}.delta"]
        assert "".join(told) == said
    opened = [e["item"]["id"] for e in events if e["type"] == "response.output_item.added"]
    closed = [e["item"]["id"] for e in events if e["type"] == "response.output_item.done"]
    assert sorted(opened) == sorted(closed) == sorted(item["id"] for item in last["output"])
    done = {e["item"]["id"]: e["item"] for e in events if e["type"] == "response.output_item.done"}
    assert [done[item["id"]] for item in last["output"]] == last["output"]
