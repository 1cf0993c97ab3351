"""What a request leaves behind: one record, figures, spans; and nowhere a word of what was said.

Generated personal data goes through every route; then logs, journals, database, metrics and
traces are searched for it.
"""

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import func, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.conftest import Running
from tests.zhengwu.otlp import Collector, running_collector

from zhengwu.db.tables import AuditRecord
from zhengwu.gateway.audit.keys import trusted
from zhengwu.gateway.audit.record import REQUEST
from zhengwu.gateway.audit.verify import verify
from zhengwu.gateway.edge.observe import LOGGER as ACCESS
from zhengwu.settings import Settings, read_settings

PHONE, CARD, NAME = "13912345678", "6222021234567890128", "欧阳测试人"
SAID = f"我叫{NAME}，电话{PHONE}，卡号{CARD}，社保怎么转移？"
SECRETS = (PHONE, CARD, NAME)
CHAT = {"model": "chat", "messages": [{"role": "user", "content": SAID}]}
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with running_collector() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, wire: Any, collector: Collector) -> Settings:
    return read_settings(home=tmp_path, pool_port=wire.port, otlp_endpoint=collector.url)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What the loggers that `set_up_logs` shows have written, at its level.

    Not `caplog`: it listens to loggers that the product has turned off, too.
    """
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    shown = [logging.getLogger(), logging.getLogger(ACCESS)]
    before = [(logger, logger.level) for logger in shown]
    for logger in shown:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    yield lines
    for logger, level in before:
        logger.removeHandler(handler)
        logger.setLevel(level)


@dataclass
class Ask:
    method: str
    path: str
    body: Any = None


EVERYWHERE = (
    Ask("POST", "/v1/chat/completions", CHAT),
    Ask("POST", "/v1/chat/completions", {**CHAT, "stream": True}),
    Ask("POST", "/v1/chat/completions", {**CHAT, "model": SAID}),
    Ask("POST", "/v1/chat/completions", {**CHAT, SAID: SAID, "stream": 3}),
    Ask("POST", "/v1/embeddings", {"model": "embed", "input": SAID}),
    Ask("POST", "/v1/completions", {"model": "chat", "prompt": SAID}),
    Ask("POST", "/api/qa", {"question": SAID}),
    Ask("POST", "/api/qa", {"question": SAID, "kb": PHONE}),
    Ask("GET", f"/api/kb/documents/{PHONE}"),
    Ask("GET", f"/v1/models/{PHONE}?q={NAME}"),
    Ask("GET", f"/nowhere/{PHONE}?name={NAME}"),
    Ask("POST", f"/api/{PHONE}", SAID),
)


async def drive(gateway: Running) -> list[int]:
    statuses: list[int] = []
    for ask in EVERYWHERE:
        headers = {
            **gateway.headers,
            "x-session-id": PHONE,
            "x-request-id": f"id {PHONE}",
            "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
            "user-agent": NAME.encode().hex(),
        }
        sent = orjson.dumps(ask.body) if ask.body is not None else None
        async with gateway.http.request(
            ask.method, gateway.url + ask.path, data=sent, headers=headers
        ) as answer:
            await answer.read()
            statuses.append(answer.status)
    return statuses


async def whole_database(engine: AsyncEngine, but: frozenset[str]) -> str:
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda c: inspect(c).get_table_names())
        rows = [
            str((await connection.execute(text(f"SELECT * FROM {name}"))).all())
            for name in names
            if name not in but
        ]
    return "\n".join(rows)


async def test_no_word_is_left_anywhere(
    gateway: Running,
    engine: AsyncEngine,
    settings: Settings,
    collector: Collector,
    logged: io.StringIO,
) -> None:
    statuses = await drive(gateway)
    assert 200 in statuses
    journals = b"".join(path.read_bytes() for path in settings.audit_dir.rglob("*.jsonl"))
    assert journals.count(b'"k":"i"') >= 5
    await flush(gateway)
    async with gateway.http.get(gateway.url + "/metrics") as answer:
        figures = await answer.text()
    await audited(engine, settings)
    places = {
        "logs": logged.getvalue(),
        "journals": journals.decode(),
        "metrics": figures,
        "traces": collector.raw.decode("latin-1"),
        "database": await whole_database(engine, frozenset({"answers"})),
    }
    for place, found in places.items():
        assert found, place
        for secret in SECRETS:
            assert secret not in found, (place, secret)
            assert secret.encode().decode("latin-1") not in found, (place, secret)
    assert (await verify(engine, trusted(settings.audit_dir), settings.audit_heads)).ok


async def test_one_record_for_each_request(
    gateway: Running, engine: AsyncEngine, settings: Settings
) -> None:
    for stream in (False, True):
        async with gateway.http.post(
            gateway.url + "/v1/chat/completions",
            json={**CHAT, "stream": stream},
            headers=gateway.headers,
        ) as answer:
            await answer.read()
    async with gateway.http.post(
        gateway.url + "/v1/chat/completions",
        json={**CHAT, "model": "nothing"},
        headers=gateway.headers,
    ) as answer:
        assert answer.status == 404
    await audited(engine, settings)
    async with engine.connect() as connection:
        query = select(AuditRecord).where(AuditRecord.kind == REQUEST)
        rows = (await connection.execute(query.order_by(AuditRecord.seq))).all()
    assert [(row.outcome, row.status) for row in rows] == [
        ("done", 200),
        ("done", 200),
        ("refused", 404),
    ]
    first = orjson.loads(rows[0].body)
    assert (rows[0].grade, rows[0].input_tokens, rows[0].output_tokens) == (3, 3, 2)
    assert first["grade_reason"]
    assert first["attempts"][0][:2] == [rows[0].upstream, "ok"]
    assert len(first["input_digest"]) == len(first["output_digest"]) == 64
    assert rows[0].energy_wh > 0
    assert rows[2].energy_wh == 0
    async with gateway.http.get(gateway.url + "/metrics") as answer:
        figures = await answer.text()
    for name in (
        'gen_ai_server_request_duration_seconds_count{model="',
        'gen_ai_server_time_to_first_token_seconds_count{model="',
        'gen_ai_server_time_per_output_token_seconds_count{model="',
        'zhengwu_upstream_attempts_total{outcome="ok"',
        "zhengwu_queue_seconds_count{upstream=",
        "zhengwu_breaker_state{upstream=",
        "zhengwu_energy_wh_total{upstream=",
        'zhengwu_grades_total{grade="3"}',
        "zhengwu_audit_failing 0.0",
        "process_resident_memory_bytes",
    ):
        assert name in figures, name


async def test_the_upstream_goes_on_with_the_caller_s_trace(
    gateway: Running, collector: Collector
) -> None:
    headers = {**gateway.headers, "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    async with gateway.http.post(
        gateway.url + "/v1/chat/completions", json=CHAT, headers=headers
    ) as answer:
        assert answer.status == 200
    await flush(gateway)
    call = collector.named("call chat/completions")
    sent = gateway.wire.headers[-1]["traceparent"].split("-")
    assert (sent[1], sent[2]) == (TRACE, call.id)
    steps = {span.name for span in collector.spans if span.trace == TRACE}
    assert {"read", "resolve", "grade", "reserve", "intend", "address"} <= steps
    edge = next(s for s in collector.spans if s.name.startswith("POST "))
    assert edge.facts["http.response.status_code"] == "200"


async def audited(engine: AsyncEngine, settings: Settings, most_s: float = 20.0) -> None:
    """Everything that stands in the journals is in the database."""
    journals = b"".join(path.read_bytes() for path in settings.audit_dir.rglob("0*.jsonl"))
    intents, records = journals.count(b'"k":"i"'), -1
    async with asyncio.timeout(most_s):
        while records != intents:
            await asyncio.sleep(0.05)
            async with engine.connect() as connection:
                count = select(func.count()).select_from(AuditRecord)
                records = await connection.scalar(count.where(AuditRecord.kind == REQUEST))


async def flush(gateway: Running) -> None:
    """Every span has reached the collector."""
    tracer: Any = gateway.parts.tracer
    await asyncio.to_thread(tracer.span_processor.force_flush)
