"""`client.responses` of the official client against the gateway."""

import asyncio
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel
from tests.gateway.conftest import Running
from tests.gateway.wire.scripted import Scripted, chunk, said

from zhengwu.gateway.tenancy.keys import NewKey
from zhengwu.gateway.tenancy.roles import host_actor
from zhengwu.gateway.tenancy.tenants import NewTenant

CHAT = "qwen2.5-coder-1.5b-instruct-q4"
TOOL: Any = {
    "type": "function",
    "name": "find_window",
    "description": "查找办事窗口",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": True,
}
CALLS = [
    chunk({"tool_calls": [{"index": 0, "id": "call_a", "function": {"name": "find_window"}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"示范市"}'}}]}),
    *said(finish="tool_calls"),
]


async def test_text_in_text_out(ai: AsyncOpenAI, wire: Scripted) -> None:
    answer = await ai.responses.create(
        model="chat", input="您好", instructions="简短回答", max_output_tokens=50, temperature=0.2
    )
    assert (answer.status, answer.output_text) == ("completed", "你好，市民")
    assert answer.model == CHAT and answer.usage and answer.usage.total_tokens == 18
    assert answer.usage.input_tokens_details.cached_tokens == 4
    assert answer.usage.output_tokens_details.reasoning_tokens == 3
    sent = wire.bodies[0]
    assert sent["messages"] == [
        {"role": "system", "content": "简短回答"},
        {"role": "user", "content": "您好"},
    ]
    assert (sent["max_tokens"], sent["temperature"]) == (50, 0.2)
    assert "tools" not in sent and "stream" not in sent


async def test_the_stream_has_the_events_of_the_api_in_order(
    ai: AsyncOpenAI, wire: Scripted
) -> None:
    wire.events = [chunk({"reasoning_content": "想一想"}), *said("你好", "，市民")]
    stream = await ai.responses.create(model="chat", input="您好", stream=True)
    events = [event async for event in stream]
    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))  # pyright: ignore[reportAttributeAccessIssue]
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "你好，市民"
    assert last.response.output[0].type == "reasoning"
    assert last.response.usage and last.response.usage.output_tokens == 7
    assert wire.bodies[0]["stream_options"] == {"include_usage": True}


async def test_the_clients_own_accumulator_agrees(ai: AsyncOpenAI, wire: Scripted) -> None:
    wire.events = CALLS
    async with ai.responses.stream(model="chat", input="窗口在哪", tools=[TOOL]) as stream:
        final = await stream.get_final_response()
    (call,) = final.output
    assert call.type == "function_call"
    assert (call.call_id, call.name, call.arguments) == (
        "call_a",
        "find_window",
        '{"city":"示范市"}',
    )


async def test_tools_both_ways_and_going_on_from_a_stored_response(
    ai: AsyncOpenAI, wire: Scripted
) -> None:
    function = {"name": "find_window", "arguments": '{"city":"示范市"}'}
    wire.message = {"content": None, "tool_calls": [{"id": "call_a", "function": function}]}
    first = await ai.responses.create(
        model="chat", input="窗口在哪", tools=[TOOL], tool_choice="required"
    )
    assert wire.bodies[0]["tools"][0]["function"]["name"] == "find_window"
    assert wire.bodies[0]["tool_choice"] == "required"
    wire.message = {"content": "在三楼"}
    second = await ai.responses.create(
        model="chat",
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": "call_a", "output": "三楼"}],
        tools=[TOOL],
    )
    assert second.output_text == "在三楼"
    call = {"id": "call_a", "type": "function", "function": function}
    assert wire.bodies[1]["messages"] == [
        {"role": "user", "content": "窗口在哪"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_a", "content": "三楼"},
    ]
    with pytest.raises(openai.BadRequestError, match="call_id") as caught:
        await ai.responses.create(
            model="chat",
            input=[{"type": "function_call_output", "call_id": "call_a", "output": "三楼"}],
        )
    assert caught.value.param == "input[0].call_id"


class Window(BaseModel):
    floor: int


async def test_json_schema(ai: AsyncOpenAI, wire: Scripted) -> None:
    wire.message = {"content": '{"floor": 3}'}
    answer = await ai.responses.parse(model="chat", input="几楼", text_format=Window)
    assert answer.output_parsed == Window(floor=3)
    form = wire.bodies[0]["response_format"]
    assert form["type"] == "json_schema" and form["json_schema"]["strict"] is True
    assert form["json_schema"]["schema"]["properties"]["floor"]["type"] == "integer"


async def test_stored_responses_are_read_listed_and_deleted(
    ai: AsyncOpenAI, wire: Scripted
) -> None:
    made = await ai.responses.create(model="chat", input="您好", metadata={"a": "b"})
    assert await ai.responses.retrieve(made.id) == made
    items = [item async for item in ai.responses.input_items.list(made.id)]
    assert items[0].type == "message" and items[0].content[0].text == "您好"  # pyright: ignore[reportAttributeAccessIssue]
    await ai.responses.delete(made.id)
    for gone in (ai.responses.retrieve(made.id), ai.responses.delete(made.id)):
        with pytest.raises(openai.NotFoundError):
            await gone
    with pytest.raises(openai.BadRequestError) as caught:
        await ai.responses.create(model="chat", input="还在吗", previous_response_id=made.id)
    assert caught.value.param == "previous_response_id"
    assert len(wire.bodies) == 1


async def test_store_false_leaves_nothing(ai: AsyncOpenAI) -> None:
    made = await ai.responses.create(model="chat", input="您好", store=False)
    with pytest.raises(openai.NotFoundError):
        await ai.responses.retrieve(made.id)


async def test_another_key_sees_nothing_of_it(gateway: Running, ai: AsyncOpenAI) -> None:
    made = await ai.responses.create(model="chat", input="您好")
    unit = await gateway.parts.office.tenants.create(host_actor("test"), NewTenant("别的单位"))
    key, _ = await gateway.keys.create(host_actor("test"), NewKey("别的应用", tenant=unit.id))
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as other:
        for asking in (
            other.responses.retrieve(made.id),
            other.responses.delete(made.id),
            other.responses.cancel(made.id),
        ):
            with pytest.raises(openai.NotFoundError):
                await asking
        with pytest.raises(openai.BadRequestError):
            await other.responses.create(model="chat", input="继续", previous_response_id=made.id)


async def test_a_later_turn_carries_the_grade_of_the_earlier_ones(
    ai: AsyncOpenAI, wire: Scripted, gateway: Running
) -> None:
    first = await ai.responses.create(
        model="chat", input="内部材料", extra_headers={"X-Data-Grade": "2"}
    )
    second = await ai.responses.create(
        model="chat",
        input="继续",
        previous_response_id=first.id,
        extra_headers={"X-Data-Grade": "1"},
    )
    store = gateway.parts.wire.response_store
    owner = await store.owner(second.id)
    assert owner and (await store.get(owner, second.id)).grade == 2


NOT_OFFERED: list[tuple[dict[str, Any], str]] = [
    ({"conversation": "c"}, "conversation"),
    ({"prompt": {"id": "p"}}, "prompt"),
    ({"truncation": "auto"}, "truncation"),
    ({"reasoning": {"summary": "auto"}}, "reasoning.summary"),
    ({"text": {"verbosity": "low"}}, "text.verbosity"),
    ({"include": ["file_search_call.results"]}, "include"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"input": [{"type": "computer_call"}]}, "input[0].type"),
    ({"input": [{"role": "nobody", "content": "x"}]}, "input[0].role"),
    ({"input": []}, "input"),
    ({"made_up": 1}, "made_up"),
    ({"background": True, "store": False}, "store"),
    ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
    (
        {
            "input": [
                {
                    "role": "user",
                    "content": [{"type": "input_image", "image_url": "http://a/b.png"}],
                }
            ]
        },
        "input[0].content[0].image_url",
    ),
]


async def test_what_is_not_offered_is_named(gateway: Running) -> None:
    for given, param in NOT_OFFERED:
        body = {"model": "chat", "input": "您好", **given}
        status, told, _ = await gateway.post("/v1/responses", json=body, headers=gateway.headers)
        assert (status, told["error"]["param"]) == (400, param)
        assert param in told["error"]["message"]
    assert gateway.wire.bodies == []


async def test_cut_at_its_length_it_is_incomplete(ai: AsyncOpenAI, wire: Scripted) -> None:
    wire.finish = "length"
    answer = await ai.responses.create(model="chat", input="您好")
    assert answer.status == "incomplete" and answer.incomplete_details
    assert answer.incomplete_details.reason == "max_output_tokens"


async def test_a_stream_that_breaks_off_fails(ai: AsyncOpenAI, wire: Scripted) -> None:
    wire.ends = False
    stream = await ai.responses.create(model="chat", input="您好", stream=True)
    events = [event async for event in stream]
    assert events[-1].type == "response.failed"
    assert events[-1].response.error and events[-1].response.status == "failed"
    stored = await ai.responses.retrieve(events[-1].response.id)
    assert stored.status == "failed" and stored.output_text == "你好，市民"


async def test_an_upstreams_refusal_is_an_http_error(ai: AsyncOpenAI, wire: Scripted) -> None:
    wire.status = 500
    for stream in (False, True):
        with pytest.raises(openai.InternalServerError):
            await ai.responses.create(model="chat", input="您好", stream=stream)


async def test_who_leaves_ends_the_work_and_the_response(ai: AsyncOpenAI, wire: Scripted) -> None:
    wire.hold = asyncio.Event()
    stream = await ai.responses.create(model="chat", input="您好", stream=True)
    created = await anext(aiter(stream))
    await stream.close()
    async with asyncio.timeout(5):
        await wire.left.wait()
        while (await ai.responses.retrieve(created.response.id)).status == "in_progress":  # pyright: ignore[reportAttributeAccessIssue]
            await asyncio.sleep(0.01)
    assert (await ai.responses.retrieve(created.response.id)).status == "cancelled"  # pyright: ignore[reportAttributeAccessIssue]


async def test_cancel_stops_the_stream_and_the_engine(ai: AsyncOpenAI, wire: Scripted) -> None:
    wire.hold = asyncio.Event()
    stream = await ai.responses.create(model="chat", input="您好", stream=True)
    events = aiter(stream)
    created = await anext(events)
    cancelled = await ai.responses.cancel(created.response.id)  # pyright: ignore[reportAttributeAccessIssue]
    assert cancelled.status == "cancelled"
    async with asyncio.timeout(5):
        rest = [event async for event in events]
        await wire.left.wait()
    assert rest[-1].type == "response.incomplete"
    assert rest[-1].response.status == "cancelled"
    again = await ai.responses.cancel(cancelled.id)
    assert again.status == "cancelled"


async def test_a_finished_response_cannot_be_cancelled(ai: AsyncOpenAI) -> None:
    made = await ai.responses.create(model="chat", input="您好")
    with pytest.raises(openai.ConflictError, match="已结束"):
        await ai.responses.cancel(made.id)


async def test_strange_bodies_are_the_callers_fault(gateway: Running) -> None:
    for raw in (
        b'{"model": "chat", "input": "\\ud800"}',
        b'{"model": "chat", "input": "a", "temperature": NaN}',
        b'{"model": "chat", "input": [{"role": "user", "content": [{"type": "input_text"}]}]}',
        b'{"model": "chat", "input": "a", "previous_response_id": "\\u0000"}',
        b'{"model": "chat", "input": "a", "tools": [{"type": "function", "name": "f",'
        b'"parameters": {"n": 123456789012345678901234567890}}]}',
    ):
        headers = {**gateway.headers, "content-type": "application/json"}
        status, told, _ = await gateway.post("/v1/responses", data=raw, headers=headers)
        assert status == 400, told
    status, told, _ = await gateway.get("/v1/responses/%00", headers=gateway.headers)
    assert status == 404
