"""`client.files` and `client.batches` of the official client, and the worker's handler."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI
from openai.types import Batch
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.conftest import Running
from tests.gateway.wire.scripted import Scripted

from zhengwu.db import tables
from zhengwu.gateway.tenancy.keys import NewKey
from zhengwu.gateway.tenancy.roles import host_actor
from zhengwu.gateway.tenancy.tenants import NewTenant
from zhengwu.gateway.wire.batches.lines import Line, LineError, read_lines
from zhengwu.gateway.wire.batches.run import BatchRunner
from zhengwu.gateway.wire.perform import Performer
from zhengwu.gateway.wire.through import KeyOwners
from zhengwu.jobs.queue import JobQueue
from zhengwu.jobs.worker import Again, Handler, Report, Worker

CHAT_URL = "/v1/chat/completions"


def line(custom_id: str, url: str = CHAT_URL, **body: Any) -> dict[str, Any]:
    asked = {"model": "chat", "messages": [{"role": "user", "content": custom_id}], **body}
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": asked}


def jsonl(rows: Sequence[Any]) -> bytes:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


async def idle() -> bool:
    return False


def runner(
    gateway: Running,
    engine: AsyncEngine,
    busy: Callable[[], Awaitable[bool]] = idle,
    at_once: int = 3,
) -> BatchRunner:
    wire = gateway.parts.wire
    performer = Performer(wire.opens, wire.responses)
    return BatchRunner(wire.batches, wire.files, performer, KeyOwners(engine), busy, at_once)


async def work(engine: AsyncEngine, handler: Handler) -> None:
    """Take jobs as a worker does, until there is none to be done at once."""
    queue = JobQueue(engine)
    worker = Worker(queue, {"batch": handler}, idle, 0.01)
    while job := await queue.lease():
        await worker.work(job)


async def start(ai: AsyncOpenAI, rows: Sequence[Any], endpoint: Any = CHAT_URL) -> Batch:
    uploaded = await ai.files.create(file=("lines.jsonl", jsonl(rows)), purpose="batch")
    return await ai.batches.create(
        input_file_id=uploaded.id,
        endpoint=endpoint,
        completion_window="24h",
        metadata={"for": "test"},
    )


async def rows_of(ai: AsyncOpenAI, file_id: str | None) -> dict[str, dict[str, Any]]:
    assert file_id
    text = (await ai.files.content(file_id)).text
    return {row["custom_id"]: row for row in map(json.loads, text.splitlines())}


async def test_files_are_kept_listed_read_and_deleted(ai: AsyncOpenAI) -> None:
    content = b"{}\n" * 900_000  # three parts
    made = await ai.files.create(file=("a.jsonl", content), purpose="batch")
    assert (made.bytes, made.filename, made.purpose) == (len(content), "a.jsonl", "batch")
    assert await ai.files.retrieve(made.id) == made
    assert (await ai.files.content(made.id)).content == content
    other = await ai.files.create(file=("b.jsonl", b"{}"), purpose="batch")
    assert [f.id async for f in ai.files.list(limit=1)] == [other.id, made.id]
    await ai.files.delete(made.id)
    for gone in (ai.files.retrieve(made.id), ai.files.delete(made.id), ai.files.content(made.id)):
        with pytest.raises(openai.NotFoundError):
            await gone


async def test_files_have_limits_and_owners(gateway: Running, ai: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as purpose:
        await ai.files.create(file=("a.jsonl", b"{}"), purpose="vision")
    assert purpose.value.param == "purpose"
    with pytest.raises(openai.APIStatusError) as large:
        await ai.files.create(file=("a.jsonl", b"x" * (4 << 20)), purpose="batch")
    assert large.value.status_code == 413 and "3 MB" in large.value.message
    made = await ai.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    unit = await gateway.parts.office.tenants.create(host_actor("test"), NewTenant("别的单位"))
    key, _ = await gateway.keys.create(host_actor("test"), NewKey("别的应用", tenant=unit.id))
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as other:
        assert [f async for f in other.files.list()] == []
        with pytest.raises(openai.NotFoundError):
            await other.files.content(made.id)
        with pytest.raises(openai.BadRequestError):
            await other.batches.create(
                input_file_id=made.id, endpoint=CHAT_URL, completion_window="24h"
            )
    status, told, _ = await gateway.post("/v1/files", data=b"x", headers=gateway.headers)
    assert status == 400 and "multipart" in told["error"]["message"]


async def test_a_batch_runs_to_its_files(
    gateway: Running, engine: AsyncEngine, ai: AsyncOpenAI
) -> None:
    batch = await start(ai, [line("一"), line("二"), line("三", model="没有")])
    assert (batch.status, batch.metadata) == ("validating", {"for": "test"})
    await work(engine, runner(gateway, engine).handle)
    done = await ai.batches.retrieve(batch.id)
    assert done.status == "completed" and done.completed_at and done.in_progress_at
    assert done.request_counts
    counts = done.request_counts
    assert (counts.total, counts.completed, counts.failed) == (3, 2, 1)
    assert done.usage and done.usage.input_tokens == 22 and done.usage.output_tokens == 14
    answers = await rows_of(ai, done.output_file_id)
    assert {*answers} == {"一", "二"}
    body = answers["一"]["response"]["body"]
    assert body["choices"][0]["message"]["content"] == "你好，市民"
    errors = await rows_of(ai, done.error_file_id)
    assert errors["三"]["response"]["status_code"] == 404
    assert errors["三"]["response"]["body"]["error"]["code"] == "model_not_found"
    assert [b.id async for b in ai.batches.list()] == [batch.id]


async def test_responses_and_embeddings_run_in_batches(
    gateway: Running, engine: AsyncEngine, ai: AsyncOpenAI
) -> None:
    asked = {"custom_id": "一", "method": "POST", "url": "/v1/responses"}
    first = await start(
        ai, [{**asked, "body": {"model": "chat", "input": "您好"}}], "/v1/responses"
    )
    asked["url"] = "/v1/embeddings"
    second = await start(ai, [{**asked, "body": {"model": "embed", "input": "您好"}}], asked["url"])
    await work(engine, runner(gateway, engine).handle)
    told = await rows_of(ai, (await ai.batches.retrieve(first.id)).output_file_id)
    assert told["一"]["response"]["body"]["object"] == "response"
    told = await rows_of(ai, (await ai.batches.retrieve(second.id)).output_file_id)
    assert told["一"]["response"]["body"]["data"][0]["embedding"]


async def test_a_file_with_errors_fails_and_names_the_lines(
    gateway: Running, engine: AsyncEngine, ai: AsyncOpenAI
) -> None:
    rows = [
        line("一"),
        line("一"),
        {**line("二"), "url": "/v1/embeddings"},
        line("四", stream=True),
    ]
    batch = await start(ai, rows)
    await work(engine, runner(gateway, engine).handle)
    failed = await ai.batches.retrieve(batch.id)
    assert failed.status == "failed" and failed.errors and failed.errors.data
    assert [(e.line, e.code) for e in failed.errors.data] == [
        (2, "duplicate_custom_id"),
        (3, "invalid_url"),
        (4, "invalid_body"),
    ]
    assert gateway.wire.bodies == []


class Killed(BaseException):
    """What a kill -9 looks like from inside: nothing after it runs."""


async def test_a_killed_worker_loses_no_line_and_runs_none_twice(
    gateway: Running, engine: AsyncEngine, ai: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"行{number}" for number in range(7)]
    batch = await start(ai, [line(name) for name in names])
    store = gateway.parts.wire.batches
    real, ended = store.end, 0

    async def end(batch_id: str, done: Any) -> None:
        nonlocal ended
        await real(batch_id, done)
        ended += 1
        if ended in (2, 4):
            raise Killed

    monkeypatch.setattr(store, "end", end)
    for _ in range(3):
        try:
            await work(engine, runner(gateway, engine, at_once=1).handle)
        except Killed:
            async with engine.begin() as connection:  # its lease lapses
                lapsed = update(tables.Job).values(lease_until=tables.now() - timedelta(seconds=1))
                await connection.execute(lapsed)
    done = await ai.batches.retrieve(batch.id)
    assert done.status == "completed"
    assert [*await rows_of(ai, done.output_file_id)] == names
    said = [body["messages"][0]["content"] for body in gateway.wire.bodies]
    assert sorted(said) == sorted(names)


async def test_it_yields_to_others_and_waits_for_limits(
    gateway: Running, engine: AsyncEngine, ai: AsyncOpenAI, wire: Scripted
) -> None:
    batch = await start(ai, [line("一")])
    payload = {"batch": batch.id}

    def report(_: float) -> None:
        pass

    async def busy() -> bool:
        return True

    waiting = runner(gateway, engine, busy=busy)
    await waiting.handle(payload, report)
    again = await waiting.handle(payload, report)
    assert isinstance(again, Again) and again.after > timedelta(0) and wire.bodies == []
    wire.status = 503
    again = await runner(gateway, engine).handle(payload, report)
    assert isinstance(again, Again) and again.after > timedelta(0)
    wire.status = 200
    await _to_the_end(runner(gateway, engine), payload, report)
    assert (await ai.batches.retrieve(batch.id)).status == "completed"
    assert len(wire.bodies) == 2


async def _to_the_end(running: BatchRunner, payload: dict[str, Any], report: Report) -> None:
    while isinstance(await running.handle(payload, report), Again):
        pass


async def test_what_fails_again_and_again_ends_in_the_error_file(
    gateway: Running, engine: AsyncEngine, ai: AsyncOpenAI, wire: Scripted
) -> None:
    wire.status = 500
    batch = await start(ai, [line("一")])
    await _to_the_end(runner(gateway, engine), {"batch": batch.id}, lambda _: None)
    ended = await ai.batches.retrieve(batch.id)
    assert ended.status == "completed" and ended.output_file_id is None
    assert (await rows_of(ai, ended.error_file_id))["一"]["response"]["status_code"] in (502, 503)
    assert 0 < len(wire.bodies) <= 5


async def test_cancelled_and_expired_batches_tell_what_was_not_run(
    gateway: Running, engine: AsyncEngine, ai: AsyncOpenAI
) -> None:
    cancelled = await start(ai, [line("一")])
    assert (await ai.batches.cancel(cancelled.id)).status == "cancelling"
    expired = await start(ai, [line("一")])
    async with engine.begin() as connection:
        late = update(tables.Batch).where(tables.Batch.id == expired.id)
        await connection.execute(late.values(expires=tables.now() - timedelta(seconds=1)))
    await work(engine, runner(gateway, engine).handle)
    assert gateway.wire.bodies == []
    for made, status in ((cancelled, "cancelled"), (expired, "expired")):
        ended = await ai.batches.retrieve(made.id)
        assert ended.status == status
        if ended.error_file_id:
            error = (await rows_of(ai, ended.error_file_id))["一"]["error"]
            assert error["code"] == f"batch_{status}"
    with pytest.raises(openai.ConflictError):
        await ai.batches.cancel(expired.id)


async def test_a_revoked_key_runs_nothing_more(
    gateway: Running, engine: AsyncEngine, ai: AsyncOpenAI
) -> None:
    batch = await start(ai, [line("一")])
    await gateway.keys.revoke(host_actor("test"), gateway.key_id)
    await work(engine, runner(gateway, engine).handle)
    state = await gateway.parts.wire.batches.get(None, batch.id)
    assert state.status == "completed" and state.output_file is None and state.error_file
    assert gateway.wire.bodies == []


async def _cut(raw: bytes, cuts: Sequence[int]) -> AsyncIterator[bytes]:
    places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    for a, b in zip(places, places[1:], strict=False):
        yield raw[a:b]


@given(
    st.lists(st.one_of(st.text(max_size=9), st.just(line("一")), st.just({"custom_id": "x"}))),
    st.lists(st.integers(0, 600), max_size=9),
)
async def test_lines_are_the_same_however_the_file_is_cut(rows: list[Any], cuts: list[int]) -> None:
    raw = jsonl(rows)
    whole = [read async for read in read_lines(_cut(raw, []), CHAT_URL)]
    assert [read async for read in read_lines(_cut(raw, cuts), CHAT_URL)] == whole
    good = [read for read in whole if isinstance(read, Line)]
    assert len(good) == min(1, rows.count(line("一")))
    assert all(isinstance(read, Line | LineError) for read in whole)
