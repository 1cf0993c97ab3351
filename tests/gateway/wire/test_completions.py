"""`client.completions` of the official client against the gateway."""

import asyncio

import openai
import pytest
from openai import AsyncOpenAI
from tests.gateway.conftest import Running
from tests.gateway.wire.scripted import Scripted

CHAT = "qwen2.5-coder-1.5b-instruct-q4"


async def test_a_prompt_goes_on_without_a_template(ai: AsyncOpenAI, wire: Scripted) -> None:
    answer = await ai.completions.create(
        model="chat", prompt="办事窗口在", max_tokens=4, stop=["。"]
    )
    assert answer.choices[0].text == "办事窗口在三楼"
    assert answer.usage and answer.usage.total_tokens == 18
    assert wire.bodies == [{"model": CHAT, "prompt": "办事窗口在", "max_tokens": 4, "stop": ["。"]}]


async def test_usage_comes_in_the_stream_when_asked_for(ai: AsyncOpenAI, wire: Scripted) -> None:
    for wants in (False, True):
        stream = await ai.completions.create(
            model="chat",
            prompt="办事窗口在",
            stream=True,
            stream_options={"include_usage": wants},
        )
        events = [event async for event in stream]
        assert "".join(c.text for event in events for c in event.choices) == "三楼"
        assert [event.usage is not None for event in events] == [False, False, *[True] * wants]
        assert wire.bodies[-1]["stream_options"]["include_usage"] is True


async def test_a_cut_stream_is_an_error_and_who_leaves_ends_it(
    ai: AsyncOpenAI, wire: Scripted
) -> None:
    wire.ends = False
    stream = await ai.completions.create(model="chat", prompt="一", stream=True)
    with pytest.raises(openai.APIError):
        [event async for event in stream]
    wire.ends, wire.hold = True, asyncio.Event()
    stream = await ai.completions.create(model="chat", prompt="一", stream=True)
    await anext(aiter(stream))
    await stream.close()
    async with asyncio.timeout(5):
        await wire.left.wait()


async def test_what_no_engine_does_is_named(ai: AsyncOpenAI, gateway: Running) -> None:
    for name in ("n", "best_of"):
        with pytest.raises(openai.BadRequestError) as caught:
            await ai.completions.create(model="chat", prompt="一", extra_body={name: 2})
        assert caught.value.param == name
    with pytest.raises(openai.UnprocessableEntityError) as tokens:
        await ai.completions.create(model="chat", prompt=[1, 2])
    assert tokens.value.param and tokens.value.param.startswith("prompt")
    with pytest.raises(openai.NotFoundError):
        await ai.completions.create(model="embed", prompt="一")
    assert gateway.wire.bodies == []
