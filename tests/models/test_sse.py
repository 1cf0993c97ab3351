"""Events come out whole, however the bytes were cut."""

from collections.abc import AsyncIterator, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.models.errors import UpstreamCut
from zhengwu.models.sse import Ending, SseEvent, SseParser, read_events

STREAM = (
    "\ufeff: keep-alive\n\ndata: 第一句\n\nevent: error\r\ndata: {}\r\n\r\n"
    "id: 7\nretry: 10\ndata: a\ndata:  b\n\n:\n\ndata\n\ndata: [DONE]\n\n"
).encode()
EVENTS = [
    SseEvent("message", "第一句"),
    SseEvent("error", "{}"),
    SseEvent("message", "a\n b"),
    SseEvent("message", ""),
]


async def pieces(blocks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_any_cut_gives_the_same_events(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    parser = SseParser()
    found = [
        event
        for start, end in zip(edges, edges[1:], strict=False)
        for event in parser.feed(STREAM[start:end])
    ]
    assert found == [*EVENTS, SseEvent("message", "[DONE]")]


async def test_done_ends_the_stream() -> None:
    assert [event async for event in read_events(pieces([STREAM, b"data: more\n\n"]))] == EVENTS


@pytest.mark.parametrize("tail", [b"", b"data: [DONE]", b'data: {"x"', b": ping\n\n"])
async def test_a_stream_without_its_end_is_cut(tail: bytes) -> None:
    seen: list[SseEvent] = []
    with pytest.raises(UpstreamCut):
        async for event in read_events(pieces([b"data: a\n\n", tail])):
            seen.append(event)
    assert seen == [SseEvent("message", "a")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20), st.booleans())
def test_the_end_is_noticed_however_it_is_cut(cuts: list[int], crlf: bool) -> None:
    stream = STREAM.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n" if crlf else b"\n")
    edges = [0, *sorted(cuts), len(stream)]
    ending = Ending()
    told = [e for s, t in zip(edges, edges[1:], strict=False) for e in ending.feed(stream[s:t])]
    assert ending.reached
    assert [event.kind for event in told] == ["error"]


@pytest.mark.parametrize("text", [b'data: {"text":"[DONE]"}\n\n', b"data: [DONE]", b": [DONE]\n\n"])
def test_what_only_looks_like_the_end_is_none(text: bytes) -> None:
    ending = Ending()
    assert not ending.feed(text)
    assert not ending.reached
