"""Sums as reports show them, from records that went the whole way."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine
from tests.gateway.audit.asked import CALLER, a_chain, an_intent, an_outcome

from zhengwu.gateway.audit.journal import Journal
from zhengwu.gateway.audit.move import Mover
from zhengwu.gateway.audit.span import Days
from zhengwu.gateway.audit.trail import JournalTrail
from zhengwu.gateway.governed.ports import Spent
from zhengwu.gateway.metering.usage import as_csv, usage

OTHER = replace(CALLER, key_id="key-2", tenant_path=("province", "city", "bur"))


async def test_usage_by_everything_and_by_little(engine: AsyncEngine, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journals")
    trail = JournalTrail(journal)
    mover = Mover(tmp_path / "journals", a_chain(engine, tmp_path), journal, trail)
    for caller, model, tokens in ((CALLER, "a", 1), (CALLER, "b", 2), (OTHER, "=b", 4)):
        intent = an_intent(caller, model=model)
        trail.intend(intent)
        trail.complete(an_outcome(intent, spent=Spent(tokens, tokens * 10, tokens * 100)))
    await mover.drain()
    journal.close()
    rows = await usage(engine, Days())
    assert [(r.key, r.model, r.cost) for r in rows] == [
        ("key-2", "=b", 400),
        ("key-1", "a", 100),
        ("key-1", "b", 200),
    ]
    (whole,) = await usage(engine, Days(), by=())
    assert (whole.requests, whole.input_tokens, whole.output_tokens) == (3, 7, 70)
    assert (whole.day, whole.energy_wh) == ("", 0.75)
    by_tenant = await usage(engine, Days(), by=("tenant",), tenant="city")
    assert [(r.tenant, r.cost) for r in by_tenant] == [("bur", 400), ("bureau", 300)]
    assert len(await usage(engine, Days(), tenant="bur")) == 1, "a tenant is no prefix of another"
    assert await usage(engine, Days(), tenant="%") == []
    assert await usage(engine, Days(last=date(2020, 1, 1)), by=()) == []
    assert len(await usage(engine, Days(), key="key-1", model="a")) == 1
    lines = as_csv(rows).splitlines()
    assert lines[0].startswith("day,tenant,key,model,requests,failed,input_tokens")
    assert ",'=b," in lines[1], "no spreadsheet takes it for a formula"
