"""From the journal to the chain: each request once, whatever dies."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.audit.asked import CALLER, a_chain, an_intent, an_outcome

from zhengwu.db.tables import AuditRecord, AuditText, UsageDay
from zhengwu.gateway.audit.errors import NotIntended
from zhengwu.gateway.audit.journal import Journal
from zhengwu.gateway.audit.move import Mover
from zhengwu.gateway.audit.trail import JournalTrail


async def records(engine: AsyncEngine) -> list[AuditRecord]:
    async with engine.connect() as connection:
        rows = await connection.execute(select(AuditRecord).order_by(AuditRecord.seq))
        return list(rows.all())  # pyright: ignore[reportReturnType]


async def test_a_request_leaves_one_record(engine: AsyncEngine, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journals")
    trail = JournalTrail(journal)
    mover = Mover(tmp_path / "journals", a_chain(engine, tmp_path), journal, trail)
    intent = an_intent()
    trail.intend(intent)
    await mover.drain()
    assert await records(engine) == []
    trail.complete(an_outcome(intent))
    await mover.drain()
    (row,) = await records(engine)
    body = orjson.loads(row.body)
    assert (row.seq, row.tenant, row.path) == (1, "bureau", "/province/city/bureau/")
    assert (row.input_tokens, row.output_tokens, row.cost) == (90, 30, 12)
    assert [tried[:2] for tried in body["attempts"]] == [["down", "upstream_down"], ["up", "ok"]]
    assert body["reserved"] == [100, 200, 50]
    assert row.request_id == intent.request_id
    journal.close()


async def test_usage_is_summed_by_day_key_and_model(engine: AsyncEngine, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journals")
    trail = JournalTrail(journal)
    mover = Mover(tmp_path / "journals", a_chain(engine, tmp_path), journal, trail)
    for outcome in ("done", "cut", "done"):
        intent = an_intent()
        trail.intend(intent)
        trail.complete(an_outcome(intent, outcome=outcome))
        await mover.drain()
    async with engine.connect() as connection:
        (row,) = (await connection.execute(select(UsageDay))).all()
    assert (row.requests, row.failed, row.input_tokens, row.cost) == (3, 1, 270, 36)
    assert row.energy_wh == 0.75
    journal.close()


async def test_rotated_segments_go_once_they_are_moved(engine: AsyncEngine, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journals", segment_bytes=2_000)
    trail = JournalTrail(journal)
    mover = Mover(tmp_path / "journals", a_chain(engine, tmp_path), journal, trail)
    held = an_intent()
    trail.intend(held)
    for _ in range(40):
        intent = an_intent()
        trail.intend(intent)
        trail.complete(an_outcome(intent))
    await mover.drain()
    names = sorted(path.name for path in journal.folder.glob("*.jsonl"))
    assert names[0] == "00000001.jsonl", "an open intent stands in it"
    trail.complete(an_outcome(held))
    await mover.drain()
    assert len(list(journal.folder.glob("*.jsonl"))) == 1
    assert len(await records(engine)) == 41
    journal.close()


async def test_a_dead_process_s_journal_is_taken_up(engine: AsyncEngine, tmp_path: Path) -> None:
    dead = Journal(tmp_path / "journals", segment_bytes=1_000)
    trail = JournalTrail(dead)
    for at in range(10):
        intent = an_intent()
        trail.intend(intent)
        if at % 3:
            trail.complete(an_outcome(intent))
    mover = Mover(tmp_path / "journals", a_chain(engine, tmp_path))
    await mover.step()
    assert await records(engine) == [], "its process lives"
    dead.close()
    await mover.step()
    await mover.step()
    rows = await records(engine)
    assert [row.outcome for row in rows].count("lost") == 4
    assert len({row.id for row in rows}) == len(rows) == 10
    assert not dead.folder.exists()


async def test_a_torn_line_becomes_a_record(engine: AsyncEngine, tmp_path: Path) -> None:
    dead = Journal(tmp_path / "journals")
    dead.append(b'{"k":"i","n":1,"request_id":"half')
    dead.close()
    await Mover(tmp_path / "journals", a_chain(engine, tmp_path)).step()
    (row,) = await records(engine)
    assert (row.outcome, orjson.loads(row.body)["code"]) == ("lost", "torn_line")


async def test_texts_are_kept_masked_and_only_by_choice(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journals")
    trail = JournalTrail(journal)
    mover = Mover(tmp_path / "journals", a_chain(engine, tmp_path), journal, trail)
    said = "我的手机号是13800138000\x00，请回电"
    for caller in (CALLER, replace(CALLER, keep_text=True)):
        intent = an_intent(caller, said)
        trail.intend(intent)
        trail.complete(an_outcome(intent, text="好的"))
    written = b"".join(path.read_bytes() for path in journal.folder.glob("*.jsonl"))
    assert b"13800138000" not in written
    await mover.drain()
    async with engine.connect() as connection:
        texts = (await connection.execute(select(AuditText).order_by(AuditText.part))).all()
        count = await connection.scalar(select(func.count()).select_from(AuditRecord))
    assert count == 2
    assert [row.text for row in texts] == ["好的", "我的手机号是***********，请回电"]
    assert {row.seq for row in texts} == {2}
    journal.close()


async def test_names_no_database_takes_do_not_stop_the_rest(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journals")
    trail = JournalTrail(journal)
    mover = Mover(tmp_path / "journals", a_chain(engine, tmp_path), journal, trail)
    for name in ("a\x00b", "\ud800", "长" * 5000, ""):
        intent = an_intent(model=name)
        trail.intend(intent)
        trail.complete(an_outcome(intent))
    await mover.drain()
    assert [row.model for row in await records(engine)] == ["ab", "?", "长" * 200, ""]
    journal.close()


def test_an_outcome_needs_an_intent_and_comes_once(tmp_path: Path) -> None:
    trail = JournalTrail(Journal(tmp_path))
    intent = an_intent()
    trail.intend(intent)
    trail.complete(an_outcome(intent))
    with pytest.raises(NotIntended):
        trail.complete(an_outcome(intent))


def test_the_same_id_twice_is_two_requests(tmp_path: Path) -> None:
    trail = JournalTrail(Journal(tmp_path))
    intent = an_intent()
    trail.intend(intent)
    trail.intend(intent)
    assert trail.open == 2
    trail.complete(an_outcome(intent))
    trail.complete(an_outcome(intent))
    assert trail.open == 0
