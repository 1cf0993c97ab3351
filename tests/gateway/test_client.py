"""The client that commands and evaluations ask a gateway with."""

import asyncio

import pytest
from aiohttp import web
from tests.gateway.citizen import ANSWER, CITATION, RETRACTED
from tests.gateway.conftest import Running
from tests.models.conftest import Handler, Serve, serve

from zhengwu.agents.qa.events import Done, Event, Sentence, Status
from zhengwu.errors import OutboundError
from zhengwu.gateway.client import AskFailed, ask
from zhengwu.models.errors import UpstreamDown

__all__ = ["serve"]


async def told(url: str, question: str = "居住证多久能办好？", **given: str) -> list[Event]:
    return [event async for event in ask(url, question, **given)]


async def test_events_arrive_as_they_were_sent(gateway: Running) -> None:
    assert tuple(await told(gateway.url)) == ANSWER
    gateway.asker.events = RETRACTED
    assert tuple(await told(gateway.url)) == RETRACTED


async def test_what_is_given_reaches_the_path(gateway: Running) -> None:
    await told(gateway.url, kb="别的", region="示范省", as_of="2024-05-01")
    (asked,) = gateway.asker.asked
    assert (asked.kb, asked.region, asked.as_of) == ("别的", "示范省", "2024-05-01")


async def test_events_come_while_the_answer_is_written(gateway: Running) -> None:
    gateway.asker.hold = asyncio.Event()
    events = ask(gateway.url, "居住证多久能办好？")
    assert [(await anext(events)).event for _ in range(2)] == ["start", "sources"]
    gateway.asker.hold.set()
    assert [event.event async for event in events][-1] == "done"


async def test_leaving_early_ends_the_path(gateway: Running) -> None:
    gateway.asker.hold = asyncio.Event()
    events = ask(gateway.url, "居住证多久能办好？")
    await anext(events)
    await events.aclose()
    async with asyncio.timeout(5):
        await gateway.asker.closed.wait()


@pytest.mark.parametrize(
    ("question", "given", "words"),
    [
        ("", {}, "问题为空"),
        ("\x00\u200b \n", {}, "问题为空"),
        ("问" * 100_000, {}, "100000 字，超过 2000 字"),
        ("问", {"kb": "没有"}, "没有知识库“没有”"),
        ("问", {"as_of": "昨天"}, "as_of"),
    ],
)
async def test_a_refusal_at_the_door_carries_the_gateways_words(
    gateway: Running, question: str, given: dict[str, str], words: str
) -> None:
    with pytest.raises(AskFailed, match=words):
        await told(gateway.url, question, **given)


async def test_a_path_that_breaks_half_way_is_a_failed_answer(gateway: Running) -> None:
    gateway.asker.events = [*ANSWER[:3], UpstreamDown("引擎退出")]
    events = await told(gateway.url)
    assert isinstance(events[-1], Done) and events[-1].status == Status.FAILED


async def test_nobody_there(gateway: Running) -> None:
    with pytest.raises(OutboundError, match="127.0.0.1:9"):
        await told("http://127.0.0.1:9")
    with pytest.raises(OutboundError, match="只能访问本机"):
        await told("http://192.0.2.1:8080")


async def test_a_very_long_clause_arrives_whole(gateway: Running) -> None:
    quote = "应当办理登记，" * 40_000
    citation = CITATION.model_copy(update={"quote": quote})
    sentence = Sentence(sentence_id=1, text=quote, citations=(citation,), quoted=True)
    gateway.asker.events = [ANSWER[0], sentence, ANSWER[-1]]
    assert (await told(gateway.url))[1] == sentence


def streaming(*blocks: bytes, status: int = 200) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=status, headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        for block in blocks:
            await answer.write(block)
            await asyncio.sleep(0.01)
        return answer

    return handle


START = (
    b'event: start\ndata: {"event":"start","answer_id":"a","conversation":"c","ai_label":"x"}\n\n'
)
DONE = b'event: done\ndata: {"event":"done","status":"answered"}\n\n'


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ((START,), "未完成"),
        ((START, DONE[:-2]), "未完成"),
        ((), "未完成"),
        ((START, b"data: {\n\n"), "无法识别"),
        ((START, b'data: {"event":"new"}\n\n'), "无法识别"),
    ],
)
async def test_a_stream_without_its_end_is_no_answer(
    serve: Serve, blocks: tuple[bytes, ...], words: str
) -> None:
    with pytest.raises(AskFailed, match=words):
        await told(await serve(streaming(*blocks)))


async def test_pieces_and_comments_do_not_matter(serve: Serve) -> None:
    whole = START + b": keep-alive\n\n" + DONE
    for size in (1, 7, 1000):
        blocks = [whole[at : at + size] for at in range(0, len(whole), size)]
        url = await serve(streaming(*blocks[:200]))
        assert [event.event for event in await told(url)] == ["start", "done"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "x"}', b"\xff"])
async def test_an_error_of_something_else_is_told_by_its_status(serve: Serve, body: bytes) -> None:
    with pytest.raises(AskFailed, match="HTTP 502"):
        await told(await serve(streaming(body, status=502)))
