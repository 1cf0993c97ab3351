"""The official clients against the gateway, with a real upstream behind it."""

import asyncio

import openai
import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionToolParam
from pydantic import SecretStr
from tests.gateway.conftest import Running

from zhengwu.gateway.tenancy.roles import host_actor

CHAT, EMBED = "qwen2.5-coder-1.5b-instruct-q4", "multilingual-e5-small-q4"
TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "find_window",
        "description": "查找办事窗口",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "city",
        "strict": True,
        "schema": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def client(gateway: Running, key: str | None = None) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key or gateway.key, max_retries=0)


async def test_chat(gateway: Running) -> None:
    async with client(gateway) as ai:
        answer = await ai.chat.completions.create(
            model=CHAT, messages=[{"role": "user", "content": "您好"}], temperature=0.2
        )
    assert answer.choices[0].message.content == "您问的是：您好"
    assert gateway.wire.bodies[0]["temperature"] == 0.2


async def test_an_alias_reaches_the_model_behind_it(gateway: Running) -> None:
    async with client(gateway) as ai:
        answer = await ai.chat.completions.create(
            model="chat", messages=[{"role": "user", "content": "您好"}]
        )
    assert answer.model == CHAT
    assert gateway.wire.bodies[0]["model"] == CHAT


async def test_stream(gateway: Running) -> None:
    async with client(gateway) as ai:
        stream = await ai.chat.completions.create(
            model=CHAT, messages=[{"role": "user", "content": "您好"}], stream=True
        )
        words = [chunk.choices[0].delta.content async for chunk in stream]
    assert words == ["你好", "，", "市民"]


async def test_tools_and_json_schema_pass_through_untouched(gateway: Running) -> None:
    async with client(gateway) as ai:
        answer = await ai.chat.completions.create(
            model=CHAT,
            messages=[{"role": "user", "content": "窗口在哪"}],
            tools=[TOOL],
            tool_choice="auto",
            response_format=SCHEMA,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        )
    calls = answer.choices[0].message.tool_calls
    assert calls and calls[0].type == "function" and calls[0].function.name == "find_window"
    sent = gateway.wire.bodies[0]
    assert sent["tools"] == [TOOL]
    assert sent["response_format"] == SCHEMA
    assert sent["tool_choice"] == "auto"


async def test_embeddings(gateway: Running) -> None:
    async with client(gateway) as ai:
        answer = await ai.embeddings.create(
            model="embed", input=["一", "二二"], extra_body={"input_type": "query"}
        )
    assert len(answer.data) == 2
    assert gateway.wire.bodies[0]["model"] == EMBED
    assert gateway.wire.bodies[0]["input_type"] == "query"


async def test_models(gateway: Running) -> None:
    async with client(gateway) as ai:
        names = [model.id async for model in ai.models.list()]
        assert names == [CHAT, EMBED, "chat-logprob"]
        assert (await ai.models.retrieve("chat")).id == "chat"


async def test_a_wrong_key_is_refused_in_openais_shape(gateway: Running) -> None:
    async with client(gateway, "zw-wrong") as ai:
        with pytest.raises(openai.AuthenticationError) as caught:
            await ai.models.list()
    assert caught.value.code == "invalid_api_key"
    assert "密钥无效" in caught.value.message
    assert gateway.wire.bodies == []


async def test_no_key_and_a_revoked_key_are_refused(gateway: Running) -> None:
    status, body, headers = await gateway.get("/v1/models")
    assert status == 401 and "Authorization" in body["error"]["message"]
    assert headers["www-authenticate"] == "Bearer"
    await gateway.keys.revoke(host_actor("test"), gateway.key_id)
    status, body, _ = await gateway.get("/v1/models", headers=gateway.headers)
    assert status == 401 and "吊销" in body["error"]["message"]


async def test_an_unknown_model_is_404_and_names_the_choices(gateway: Running) -> None:
    async with client(gateway) as ai:
        with pytest.raises(openai.NotFoundError) as caught:
            await ai.chat.completions.create(
                model="gpt-9", messages=[{"role": "user", "content": "您好"}]
            )
        assert caught.value.code == "model_not_found"
        assert caught.value.param == "model"
        assert CHAT in caught.value.message and EMBED not in caught.value.message
        with pytest.raises(openai.NotFoundError):
            await ai.embeddings.create(model=CHAT, input="一")


async def test_what_the_upstream_refuses_is_told(gateway: Running) -> None:
    for stream in (False, True):
        async with client(gateway) as ai:
            with pytest.raises(openai.BadRequestError, match="context length exceeded"):
                await ai.chat.completions.create(
                    model=CHAT, messages=[{"role": "user", "content": "太长"}], stream=stream
                )


async def test_a_stream_that_breaks_off_is_an_error_not_an_answer(gateway: Running) -> None:
    async with client(gateway) as ai:
        stream = await ai.chat.completions.create(
            model=CHAT, messages=[{"role": "user", "content": "断开"}], stream=True
        )
        words: list[str | None] = []
        with pytest.raises(openai.APIError):
            async for chunk in stream:
                words.append(chunk.choices[0].delta.content)
    assert len(words) <= 3


async def test_a_caller_who_leaves_ends_the_work_at_the_upstream(gateway: Running) -> None:
    async with client(gateway) as ai:
        stream = await ai.chat.completions.create(
            model=CHAT, messages=[{"role": "user", "content": "很慢"}], stream=True
        )
        await anext(aiter(stream))
        await stream.close()
    async with asyncio.timeout(5):
        await gateway.wire.left.wait()


async def test_data_of_grade_4_goes_nowhere(gateway: Running) -> None:
    async with client(gateway) as ai:
        for grade, error in (("4", openai.PermissionDeniedError), ("9", openai.APIStatusError)):
            with pytest.raises(error):
                await ai.chat.completions.create(
                    model=CHAT,
                    messages=[{"role": "user", "content": "您好"}],
                    extra_headers={"X-Data-Grade": grade},
                )
    assert gateway.wire.bodies == []


async def test_bad_bodies_are_told_in_openais_shape(gateway: Running) -> None:
    for given, status, words in (
        ({"data": b"{"}, 400, "JSON"),
        ({"json": {"messages": []}}, 422, "缺少 model"),
        ({"json": {"model": "chat", "messages": "您好"}}, 422, "messages"),
        ({"json": {"model": "chat", "messages": [{"content": "长" * 400_000}]}}, 413, "1024 KB"),
    ):
        got, body, _ = await gateway.post(
            "/v1/chat/completions",
            headers={**gateway.headers, "content-type": "application/json"},
            **given,
        )
        assert (got, set(body["error"])) == (status, {"message", "type", "param", "code"})
        assert words in body["error"]["message"]


async def test_langchain(gateway: Running) -> None:
    chat = ChatOpenAI(
        model="chat", base_url=f"{gateway.url}/v1", api_key=SecretStr(gateway.key), max_retries=0
    )
    assert (await chat.ainvoke([HumanMessage("您好")])).content == "您问的是：您好"
    words = [str(piece.content) async for piece in chat.astream("您好")]
    assert "".join(words) == "你好，市民"
    embeddings = OpenAIEmbeddings(
        model="embed",
        base_url=f"{gateway.url}/v1",
        api_key=SecretStr(gateway.key),
        check_embedding_ctx_length=False,
        max_retries=0,
    )
    assert await embeddings.aembed_query("一二") == [2.0, 1.0]
