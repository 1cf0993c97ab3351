"""Responses in the background: queued, written by the worker, cancelled."""

import asyncio

import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.conftest import Running
from tests.gateway.wire.scripted import Scripted

from zhengwu.gateway.wire.later import later_handlers
from zhengwu.gateway.wire.through import KeyOwners
from zhengwu.jobs.queue import JobQueue
from zhengwu.jobs.worker import Worker


async def idle() -> bool:
    return False


async def work(gateway: Running, engine: AsyncEngine) -> None:
    queue = JobQueue(engine)
    handlers = later_handlers(gateway.parts.wire, KeyOwners(engine), idle, 1)
    worker = Worker(queue, handlers, idle, 0.01)
    while job := await queue.lease():
        await worker.work(job)


async def test_it_is_written_later(
    gateway: Running, engine: AsyncEngine, ai: AsyncOpenAI, wire: Scripted
) -> None:
    made = await ai.responses.create(model="chat", input="您好", background=True)
    assert (made.status, made.background, wire.bodies) == ("queued", True, [])
    with pytest.raises(openai.BadRequestError) as early:
        await ai.responses.create(model="chat", input="然后", previous_response_id=made.id)
    assert early.value.param == "previous_response_id"
    await work(gateway, engine)
    done = await ai.responses.retrieve(made.id)
    assert (done.status, done.output_text, done.id) == ("completed", "你好，市民", made.id)


async def test_cancelled_before_and_while_it_is_written(
    gateway: Running, engine: AsyncEngine, ai: AsyncOpenAI, wire: Scripted
) -> None:
    before = await ai.responses.create(model="chat", input="您好", background=True)
    assert (await ai.responses.cancel(before.id)).status == "cancelled"
    await work(gateway, engine)
    assert wire.bodies == []
    wire.hold = asyncio.Event()
    during = await ai.responses.create(model="chat", input="您好", background=True)
    working = asyncio.create_task(work(gateway, engine))
    async with asyncio.timeout(10):
        while not wire.bodies:
            await asyncio.sleep(0.01)
        assert (await ai.responses.cancel(during.id)).status == "cancelled"
        await working
        await wire.left.wait()
    assert (await ai.responses.retrieve(during.id)).status == "cancelled"


async def test_what_cannot_be_written_says_why(
    gateway: Running, engine: AsyncEngine, ai: AsyncOpenAI, wire: Scripted
) -> None:
    wire.status = 500
    made = await ai.responses.create(model="chat", input="您好", background=True)
    await work(gateway, engine)
    failed = await ai.responses.retrieve(made.id)
    assert failed.status == "failed" and failed.error and failed.error.code == "server_error"
