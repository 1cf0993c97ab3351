"""The same request sent twice is done once."""

import asyncio
from datetime import timedelta
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.conftest import Running
from tests.gateway.wire.scripted import Scripted

from zhengwu.db.tables import IdempotentAnswer, now
from zhengwu.gateway.tenancy.keys import NewKey
from zhengwu.gateway.tenancy.roles import host_actor
from zhengwu.gateway.wire import kept as module
from zhengwu.gateway.wire.errors import KeyReused
from zhengwu.gateway.wire.kept import Answer, Claim, KeptAnswers

SAID: list[Any] = [{"role": "user", "content": "您好"}]
KEY = {"Idempotency-Key": "k-1"}


async def test_the_answer_is_given_again_and_other_bodies_are_refused(
    ai: AsyncOpenAI, wire: Scripted, gateway: Running
) -> None:
    first, again = [
        await ai.chat.completions.create(model="chat", messages=SAID, extra_headers=KEY)
        for _ in range(2)
    ]
    assert first == again and len(wire.bodies) == 1
    with pytest.raises(openai.ConflictError) as other:
        await ai.chat.completions.create(
            model="chat", messages=SAID, temperature=0.5, extra_headers=KEY
        )
    assert other.value.code == "idempotency_conflict"
    with pytest.raises(openai.ConflictError):
        await ai.responses.create(model="chat", input="您好", extra_headers=KEY)
    secret, _ = await gateway.keys.create(host_actor("test"), NewKey("别的应用"))
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=secret, max_retries=0) as others:
        await others.chat.completions.create(model="chat", messages=SAID, extra_headers=KEY)
    assert len(wire.bodies) == 2


async def test_streams_are_replayed(ai: AsyncOpenAI, wire: Scripted) -> None:
    told: list[list[str]] = []
    for _ in range(2):
        stream = await ai.responses.create(
            model="chat", input="您好", stream=True, extra_headers=KEY
        )
        told.append([event.model_dump_json() async for event in stream])
    assert told[0] == told[1] and len(wire.bodies) == 1


async def test_what_failed_or_broke_off_may_be_sent_again(ai: AsyncOpenAI, wire: Scripted) -> None:
    wire.status = 500
    with pytest.raises(openai.InternalServerError):
        await ai.chat.completions.create(model="chat", messages=SAID, extra_headers=KEY)
    wire.status, wire.ends = 200, False
    stream = await ai.responses.create(model="chat", input="一", stream=True, extra_headers=KEY)
    assert [event async for event in stream][-1].type == "response.failed"
    wire.ends = True
    stream = await ai.responses.create(model="chat", input="一", stream=True, extra_headers=KEY)
    assert [event async for event in stream][-1].type == "response.completed"


async def test_while_the_first_runs_the_second_is_told_to_wait(
    ai: AsyncOpenAI, wire: Scripted
) -> None:
    wire.hold = asyncio.Event()
    first = asyncio.create_task(ai.responses.create(model="chat", input="一", extra_headers=KEY))
    async with asyncio.timeout(5):
        while not wire.bodies:
            await asyncio.sleep(0.01)
    with pytest.raises(openai.ConflictError) as early:
        await ai.responses.create(model="chat", input="一", extra_headers=KEY)
    assert early.value.response.headers["retry-after"] == "1"
    wire.hold.set()
    done = await first
    again = await ai.responses.create(model="chat", input="一", extra_headers=KEY)
    assert again.id == done.id and len(wire.bodies) == 1


async def test_a_wrong_key_header_or_caller(gateway: Running) -> None:
    for value, status in (("中文", 400), ("x" * 256, 400)):
        headers = {**gateway.headers, "Idempotency-Key": value}
        got, told, _ = await gateway.post("/v1/responses", json={}, headers=headers)
        assert (got, told["error"]["param"]) == (status, "Idempotency-Key")
    got, _, _ = await gateway.post("/v1/responses", json={}, headers=KEY)
    assert got == 401


async def test_kept_over_restarts_freed_after_a_kill_and_gone_after_a_day(
    either: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Answer(200, "application/json", b"{}")
    claim = await KeptAnswers(either).claim("k", "a", b"body")
    assert isinstance(claim, Claim)
    with pytest.raises(KeyReused):
        await KeptAnswers(either).claim("k", "a", b"body")
    async with either.begin() as connection:  # the gateway was killed; its claim lapses
        lapsed = update(IdempotentAnswer).values(held_until=now() - timedelta(seconds=1))
        await connection.execute(lapsed)
    taken = await KeptAnswers(either).claim("k", "a", b"body")
    assert isinstance(taken, Claim) and taken.holder != claim.holder
    await KeptAnswers(either).keep(claim, Answer(200, "x", b"late"))  # holds it no more
    await KeptAnswers(either).keep(taken, answer)
    assert await KeptAnswers(either).claim("k", "a", b"body") == answer
    monkeypatch.setattr(module, "MAX_KEYS", 1)
    with pytest.raises(KeyReused, match="最多"):
        await KeptAnswers(either).claim("k", "b", b"body")
    async with either.begin() as connection:
        await connection.execute(
            update(IdempotentAnswer).values(expires=now() - timedelta(seconds=1))
        )
    assert isinstance(await KeptAnswers(either).claim("k", "b", b"body"), Claim)
    async with either.connect() as connection:
        assert await connection.scalar(select(func.count(IdempotentAnswer.id))) == 1
