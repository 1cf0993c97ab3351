"""Assistants are registered, shared and called as models, with the official client."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.assistants.doubles import Services, running_services
from tests.gateway.conftest import Running
from tests.gateway.upstream import running_upstream
from tests.gateway.wire.scripted import Scripted

from zhengwu.gateway.assistants.assisted import AssistantParts, AssistedGoverned
from zhengwu.gateway.assistants.definition import Definition, asked_name
from zhengwu.gateway.assistants.errors import AssistantForbidden, AssistantRefused
from zhengwu.gateway.assistants.knowledge import find_passages
from zhengwu.gateway.assistants.office import AssistantOffice
from zhengwu.gateway.assistants.store import Catalogue, Share
from zhengwu.gateway.assistants.tools.call import Toolbox
from zhengwu.gateway.assistants.tools.reach import Reach
from zhengwu.gateway.errors import GatewayError
from zhengwu.gateway.governed.asked import Asked
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.tenancy.keys import NewKey
from zhengwu.gateway.tenancy.roles import host_actor
from zhengwu.gateway.tenancy.tenants import NewTenant
from zhengwu.rag.fuse import Scores
from zhengwu.rag.knowledge import Hit
from zhengwu.rag.snapshot import DocumentInfo, Request
from zhengwu.rag.validity import Span
from zhengwu.settings import Settings, read_settings

ADMIN = "/api/admin/assistants"
SAID: list[Any] = [{"role": "user", "content": "身份证在哪办"}]
BZ: dict[str, Any] = {
    "name": "bz",
    "title": "办证助手",
    "prompt": "你是办证助手。",
    "model": "chat",
    "grade_ceiling": 3,
}


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with running_services() as running:
        yield running


@pytest.fixture
async def wire() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    async with running_upstream(scripted):
        yield scripted


@pytest.fixture
def settings(tmp_path: Path, wire: Scripted, services: Services) -> Settings:
    return read_settings(home=tmp_path, pool_port=wire.port, tool_hosts=(services.address,))


@pytest.fixture
async def ai(gateway: Running) -> AsyncIterator[AsyncOpenAI]:
    url = f"{gateway.url}/v1"
    async with AsyncOpenAI(base_url=url, api_key=gateway.key, max_retries=0) as client:
        yield client


async def register(gateway: Running, **given: Any) -> int:
    status, told, _ = await gateway.post(ADMIN, json={**BZ, **given}, headers=gateway.headers)
    assert status == 201, told
    return int(told["version"])


async def publish(gateway: Running, version: int, move: str = "publish") -> None:
    path = f"{ADMIN}/bz/versions/{version}/{move}"
    status, told, _ = await gateway.post(path, headers=gateway.headers)
    assert status == 200, told


async def test_it_is_called_as_a_model_and_listed(
    gateway: Running, ai: AsyncOpenAI, wire: Scripted
) -> None:
    await publish(gateway, await register(gateway))
    for name in ("assistant:bz", "bz", "bz@1"):
        answer = await ai.chat.completions.create(model=name, messages=SAID)
        assert answer.choices[0].message.content == "你好，市民"
    stream = await ai.chat.completions.create(model="bz", messages=SAID, stream=True)
    words = [c.delta.content or "" async for event in stream for c in event.choices]
    assert "".join(words) == "你好，市民"
    told = await ai.responses.create(model="assistant:bz", input="身份证在哪办")
    assert told.output_text == "你好，市民"
    assert all(body["messages"][0]["content"] == BZ["prompt"] for body in wire.bodies)
    assert len(wire.bodies) == 5
    assert "assistant:bz" in [model.id async for model in ai.models.list()]


async def test_versions_are_pinned_published_and_withdrawn(
    gateway: Running, ai: AsyncOpenAI, wire: Scripted
) -> None:
    async def said(model: str) -> str:
        await ai.chat.completions.create(model=model, messages=SAID)
        return wire.bodies[-1]["messages"][0]["content"]

    await publish(gateway, await register(gateway))
    assert await register(gateway, prompt="第二版。") == 2
    assert await said("bz") == BZ["prompt"]
    assert await said("bz@2") == "第二版。"  # its owner may try a draft
    await publish(gateway, 2)
    assert (await said("bz"), await said("bz@1")) == ("第二版。", BZ["prompt"])
    await publish(gateway, 2, "withdraw")
    assert await said("bz") == BZ["prompt"]
    with pytest.raises(openai.NotFoundError):
        await said("bz@2")
    path = f"{ADMIN}/bz/versions/2/publish"
    status, told, _ = await gateway.post(path, headers=gateway.headers)
    assert status == 400 and "withdrawn" in told["error"]["message"]


async def test_others_neither_see_nor_change_it_until_it_is_shared(
    gateway: Running, wire: Scripted
) -> None:
    await publish(gateway, await register(gateway))
    unit = await gateway.parts.office.tenants.create(host_actor("test"), NewTenant("别的单位"))
    key, _ = await gateway.keys.create(host_actor("test"), NewKey("别的应用", tenant=unit.id))
    headers = {"authorization": f"Bearer {key}"}
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as other:
        assert "assistant:bz" not in [model.id async for model in other.models.list()]
        with pytest.raises(openai.NotFoundError):
            await other.chat.completions.create(model="bz", messages=SAID)
    for call in (
        gateway.post(ADMIN, json=BZ, headers=headers),
        gateway.post(f"{ADMIN}/bz/versions/1/withdraw", headers=headers),
    ):
        status, told, _ = await call
        assert status == 403, told
    path = f"{gateway.url}{ADMIN}/bz/shares/unit-a"
    body = {"quota": {"requests_per_minute": 5}}
    async with gateway.http.put(path, json=body, headers=gateway.headers) as answer:
        assert await answer.json() == {"shares": [{"tenant": "unit-a", **body}]}
    catalogue = gateway.parts.catalogue
    near = Caller("k", "科室", tenant_path=("province", "unit-a", "office"))
    far = Caller("k", "别处", tenant_path=("province", "unit-b"))
    found = await catalogue.usable(near, "bz", None)
    assert found and found.share and found.share.quota == {"requests_per_minute": 5}
    assert await catalogue.usable(far, "bz", None) is None
    assert [version.name for version in await catalogue.open_to(near)] == ["bz"]
    assert await catalogue.open_to(far) == []
    async with gateway.http.delete(path, headers=gateway.headers) as answer:
        assert await answer.json() == {"shares": []}
    assert await catalogue.usable(near, "bz", None) is None


async def test_it_may_no_more_than_owner_and_caller(
    gateway: Running, ai: AsyncOpenAI, engine: AsyncEngine
) -> None:
    office = gateway.parts.assistants
    assert isinstance(office, AssistantOffice)
    for given, caller in (
        ({}, Caller("k", "低", grade_ceiling=2)),
        ({}, Caller("k", "无", models=frozenset({"reasoning"}))),
    ):
        with pytest.raises(AssistantRefused):
            await office.register(caller, {**BZ, **given})
    with pytest.raises(AssistantForbidden):
        await office.register(Caller("k", "市民", role="citizen"), BZ)
    await publish(gateway, await register(gateway, grade_ceiling=1))
    with pytest.raises(openai.APIStatusError) as above:
        await ai.chat.completions.create(
            model="bz", messages=SAID, extra_headers={"X-Data-Grade": "2"}
        )
    assert above.value.status_code in (403, 422)
    assert gateway.wire.bodies == []
    answer = await ai.chat.completions.create(
        model="bz", messages=SAID, extra_headers={"X-Data-Grade": "1"}
    )
    assert answer.choices
    await gateway.keys.revoke(host_actor("test"), gateway.key_id)
    found = await Catalogue(engine).versions(None)
    with pytest.raises(GatewayError):  # the owner's key is gone, and with it every right
        assisted = gateway.parts.governed
        caller = Caller("other", "别处", tenant_path=("t",))
        await Catalogue(engine).share(None, "bz", Share("t", {}))
        body = json.dumps({"model": "bz", "messages": SAID}).encode()
        async with assisted.open(Asked(caller, "chat/completions", body, "r1")):
            pass
    assert found[0].definition.grade_ceiling == 1


def calls(name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    call = {"id": "call_a", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


async def test_tools_are_offered_called_and_answered(
    gateway: Running, ai: AsyncOpenAI, wire: Scripted, services: Services
) -> None:
    tools = [
        {"kind": "openapi", "grade": 3, "document": services.document},
        {"kind": "mcp", "grade": 3, "url": f"http://{services.address}/mcp"},
    ]
    version = await register(gateway, tools=tools)
    services.asked.clear()
    answers = iter(
        [
            calls("find_window", '{"city": "示/范", "day": "周一"}'),
            calls("count", "{}"),
            {"role": "assistant", "content": "三楼，共 12 件"},
        ]
    )
    wire.answers = answers
    for stream in (False, True):
        if stream:
            wire.answers = iter([{"role": "assistant", "content": "三楼"}])
            events = await ai.chat.completions.create(
                model=f"bz@{version}",
                messages=SAID,
                stream=True,
                stream_options={"include_usage": True},
            )
            got = [event async for event in events]
            assert "".join(c.delta.content or "" for e in got for c in e.choices) == "三楼"
            assert got[-1].usage and got[-1].usage.total_tokens == 18
        else:
            answer = await ai.chat.completions.create(model=f"bz@{version}", messages=SAID)
            assert answer.choices[0].message.content == "三楼，共 12 件"
    offered = [tool["function"]["name"] for tool in wire.bodies[0]["tools"]]
    assert offered == ["find_window", "away", "big", "count"]
    assert services.asked[0] == {"city": "示/范", "day": "周一", "key": None}
    assert wire.bodies[1]["messages"][-1]["content"] == '{"floor": 3}'
    assert wire.bodies[2]["messages"][-1]["content"] == "共 12 件"
    with pytest.raises(openai.BadRequestError) as own:
        await ai.chat.completions.create(
            model="bz@1", messages=SAID, tools=[{"type": "function", "function": {"name": "f"}}]
        )
    assert own.value.param == "tools"


async def test_a_tool_gets_nothing_above_its_grade_and_leads_nowhere_else(
    gateway: Running, ai: AsyncOpenAI, wire: Scripted, services: Services
) -> None:
    tool = {"kind": "openapi", "grade": 2, "document": services.document}
    await publish(gateway, await register(gateway, tools=[tool]))

    async def told(name: str, arguments: str, grade: str) -> str:
        done = {"role": "assistant", "content": "好"}
        wire.answers = iter([calls(name, arguments), done])
        await ai.chat.completions.create(
            model="bz", messages=SAID, extra_headers={"X-Data-Grade": grade}
        )
        return str(wire.bodies[-1]["messages"][-1]["content"])

    assert "最高只能接收 2 级" in await told("find_window", '{"city": "示范"}', "3")
    assert services.asked == []
    assert await told("find_window", '{"city": "示范"}', "2") == '{"floor": 3}'
    assert "HTTP 302" in await told("away", "{}", "1")
    assert services.asked[1:] == [{"away": True}]
    assert "256 KB" in await told("big", "{}", "1")
    assert "没有这个功能" in await told("made_up", "{}", "1")
    assert "JSON" in await told("find_window", "{", "1")
    assert "不能为空" in await told("find_window", '{"city": ".."}', "1")


async def test_rounds_end(
    gateway: Running, ai: AsyncOpenAI, wire: Scripted, services: Services
) -> None:
    tool = {"kind": "openapi", "grade": 3, "document": services.document}
    await publish(gateway, await register(gateway, tools=[tool]))
    wire.message = calls("find_window", '{"city": "示范"}')
    await ai.chat.completions.create(model="bz", messages=SAID)
    assert len(wire.bodies) == 6 and wire.bodies[-1]["tool_choice"] == "none"
    assert len(services.asked) == 5


async def test_what_may_not_be_registered(gateway: Running, services: Services) -> None:
    away = {**services.document, "servers": [{"url": "/relative"}]}
    itself = {"$ref": "#/components/schemas/Day"}
    loop = {**services.document, "components": {"schemas": {"Day": itself}}}
    unlisted = {"kind": "mcp", "grade": 1, "url": "http://127.0.0.1:9/mcp"}
    for given, param in (
        ({"model": "gpt-9"}, "model"),
        ({"grade_ceiling": 4}, None),
        ({"prompt": ""}, None),
        ({"made_up": 1}, None),
        ({"tools": [{"kind": "openapi", "grade": 1, "document": away}]}, None),
        ({"tools": [{"kind": "openapi", "grade": 1, "document": loop}]}, None),
        ({"tools": [{"kind": "openapi", "grade": 1, "document": {}}]}, None),
        ({"tools": [unlisted]}, None),
        ({"tools": [{"kind": "mcp", "grade": 1, "url": "http://a/b", "key_env": "PATH"}]}, None),
    ):
        status, told, _ = await gateway.post(ADMIN, json={**BZ, **given}, headers=gateway.headers)
        assert status in (400, 404), told
        assert param is None or told["error"]["message"]


def hit(doc: str, grade: int, total: float) -> Hit:
    span = Span(1, doc, None, None, "现行有效")
    info = DocumentInfo(1, doc, doc, "law", None, None, None, (), None, span, grade)
    scores = Scores(0.0, 0.0, None, 0.0, 0.0, 0.0, total)
    return Hit(1, info, "现行有效", ("a9",), f"{doc} › 第九条", f"{doc}的内容", scores)


class Shelf:
    """A knowledge base whose documents are of several grades."""

    async def search(self, kb: str, request: Request, use_vectors: bool = True) -> list[Hit]:
        assert request.day == date.today()
        return [hit("内部规定", 2, 9.0), hit("公开办法", 1, 5.0), hit("敏感名册", 3, 8.0)]


async def test_passages_above_the_ceiling_are_not_shown_and_the_others_raise_the_grade(
    gateway: Running, ai: AsyncOpenAI, wire: Scripted, engine: AsyncEngine
) -> None:
    for ceiling, grade, names in (
        (1, 1, ["公开办法"]),
        (2, 2, ["内部规定", "公开办法"]),
        (3, 3, ["内部规定", "敏感名册"]),
    ):
        found = await find_passages(Shelf(), ["k"], "问", 2, ceiling)
        assert found and found.grade == grade
        assert [
            name for name in ("内部规定", "敏感名册", "公开办法") if name in found.text
        ] == names
    assert await find_passages(Shelf(), ["k"], "问", 2, 0) is None
    await register(gateway, kbs=["k"], grade_ceiling=2)
    real = gateway.parts.governed
    assert isinstance(real, AssistedGoverned)
    parts = replace(real._assistants, knowledge=Shelf())  # pyright: ignore[reportPrivateUsage]
    assert isinstance(parts, AssistantParts)
    caller = Caller(gateway.key_id, "测试应用", tenant_path=("root",))
    body = json.dumps({"model": "bz@1", "messages": SAID}).encode()
    asked = Asked(caller, "chat/completions", body, "r1", declared="1")
    assisted = AssistedGoverned(real._governed, parts)  # pyright: ignore[reportPrivateUsage]
    async with assisted.open(asked) as relayed:
        assert relayed.grade == 2
        await relayed.whole()
    system = wire.bodies[-1]["messages"][0]["content"]
    assert "【k/内部规定#a9】" in system and "敏感名册" not in system


async def test_tools_are_closed_by_default() -> None:
    toolbox = Toolbox(Reach((), {}))
    tool = {"kind": "mcp", "grade": 3, "url": "http://127.0.0.1:1/mcp"}
    with pytest.raises(AssistantRefused, match="ZHENGWU_TOOL_HOSTS"):
        await toolbox.functions(Definition.model_validate({**BZ, "tools": [tool]}))


def test_names() -> None:
    assert asked_name("assistant:bz@2") == ("bz", 2)
    assert asked_name("bz") == ("bz", None)
    assert asked_name("bz@x") == ("bz@x", None)
