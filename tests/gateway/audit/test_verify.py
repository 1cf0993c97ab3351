"""Tampering in SQL, in every way: verification finds it, and says the first bad place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from tests.gateway.audit.asked import CALLER, Clock, a_chain, an_intent, an_outcome

from zhengwu.db.tables import (
    AuditHead,
    AuditRecord,
    AuditState,
    AuditText,
    Table,
    UsageDay,
)
from zhengwu.gateway.audit.chain import Chain
from zhengwu.gateway.audit.digest import link
from zhengwu.gateway.audit.errors import BadRange, ChainBroken, SigningKeyWrong
from zhengwu.gateway.audit.export import export, verify_file
from zhengwu.gateway.audit.heads import HeadsFile
from zhengwu.gateway.audit.journal import Journal
from zhengwu.gateway.audit.keys import (
    KEY_FILE,
    SigningKey,
    Trusted,
    open_key,
    pem,
    read_pem,
    trusted,
)
from zhengwu.gateway.audit.move import Mover
from zhengwu.gateway.audit.record import AdminAction, of_action
from zhengwu.gateway.audit.retention import prune
from zhengwu.gateway.audit.span import Days
from zhengwu.gateway.audit.trail import JournalTrail
from zhengwu.gateway.audit.verify import Verdict, verify

TABLES: tuple[type[Table], ...] = (AuditRecord, AuditText, AuditHead, AuditState, UsageDay)
DAYS, A_DAY = 3, 4


@dataclass
class Book:
    """A chain of twelve records over three days, and the file of its heads."""

    engine: AsyncEngine
    folder: Path
    chain: Chain
    key: SigningKey
    clock: Clock

    @property
    def heads(self) -> Path:
        return self.folder / "heads.jsonl"

    async def check(self, days: Days | None = None) -> Verdict:
        return await verify(self.engine, trusted(self.folder), self.heads, days)


@pytest.fixture
async def book(engine: AsyncEngine, tmp_path: Path) -> Book:
    clock = Clock()
    chain = a_chain(engine, tmp_path, clock)
    journal = Journal(tmp_path / "journals")
    trail = JournalTrail(journal)
    heads = HeadsFile(tmp_path / "heads.jsonl", every_s=0)
    mover = Mover(tmp_path / "journals", chain, journal, trail, "off", heads.told, clock)
    for _ in range(DAYS):
        for at in range(A_DAY):
            caller = replace(CALLER, keep_text=at == 0)
            intent = an_intent(caller, "问", started=clock.moment.timestamp())
            trail.intend(intent)
            trail.complete(an_outcome(intent, text="答"))
        await mover.drain()
        clock.moment += timedelta(days=1)
    clock.moment -= timedelta(days=1)
    journal.close()
    return Book(engine, tmp_path, chain, open_key(tmp_path), clock)


async def snapshot(connection: AsyncConnection) -> list[list[dict[str, Any]]]:
    read = [(await connection.execute(select(table))).mappings().all() for table in TABLES]
    return [[dict(row) for row in rows] for rows in read]


async def restore(connection: AsyncConnection, rows: Sequence[list[dict[str, Any]]]) -> None:
    for table, kept in zip(TABLES, rows, strict=True):
        await connection.execute(delete(table))
        if kept:
            await connection.execute(insert(table), kept)


async def rechain(connection: AsyncConnection, first: int) -> None:
    """What a skilled intruder does: every digest from `first` on made right again."""
    rows = (await connection.execute(select(AuditRecord).order_by(AuditRecord.seq))).all()
    digest = rows[first - 2].digest
    for row in rows[first - 1 :]:
        digest = link(digest, row.body.encode())
        where = AuditRecord.seq == row.seq
        await connection.execute(update(AuditRecord).where(where).values(digest=digest))


async def copied(connection: AsyncConnection, source: int, to: int) -> None:
    query = select(AuditRecord).where(AuditRecord.seq == source)
    row = dict((await connection.execute(query)).mappings().one())
    await connection.execute(insert(AuditRecord).values({**row, "seq": to, "id": "forged:1"}))


async def forged_last(connection: AsyncConnection) -> None:
    await copied(connection, 12, 13)


async def forged_first(connection: AsyncConnection) -> None:
    await copied(connection, 1, 0)


async def swapped(connection: AsyncConnection) -> None:
    for a, b in ((5, 100), (6, 5), (100, 6)):
        await connection.execute(update(AuditRecord).where(AuditRecord.seq == a).values(seq=b))


async def inserted(connection: AsyncConnection) -> None:
    """A record between 5 and 6: later ones move up, bodies and digests made to fit."""
    for seq in range(12, 5, -1):
        where = AuditRecord.seq == seq
        await connection.execute(update(AuditRecord).where(where).values(seq=seq + 1))
    await copied(connection, 5, 6)
    rows = (await connection.execute(select(AuditRecord).order_by(AuditRecord.seq))).all()
    for row in rows[5:]:
        body = orjson.loads(row.body) | {"seq": row.seq, "id": row.id}
        told = orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()
        where = AuditRecord.seq == row.seq
        await connection.execute(update(AuditRecord).where(where).values(body=told))
    await rechain(connection, 6)


async def emptied(connection: AsyncConnection) -> None:
    for table in TABLES:
        await connection.execute(delete(table))


CHEAPER = """UPDATE audit_records SET body = replace(body, '"cost":12', '"cost":1') WHERE seq = 5"""
RECORD = "UPDATE audit_records SET"
HEAD = "UPDATE audit_heads SET"
TAMPERED: tuple[tuple[str, Any, str, int | None], ...] = (
    ("a body", CHEAPER, "changed", 5),
    ("a digest", "UPDATE audit_records SET digest = 'x' WHERE seq = 5", "changed", 5),
    ("a column", "UPDATE audit_records SET cost = 1 WHERE seq = 5", "column", 5),
    ("a time", f"{RECORD} at = '2020-01-01 00:00:00.000000' WHERE seq = 5", "column", 5),
    ("no JSON", "UPDATE audit_records SET body = '{' WHERE seq = 5", "changed", 5),
    ("the first", "DELETE FROM audit_records WHERE seq = 1", "removed", 1),
    ("one", "DELETE FROM audit_records WHERE seq = 5", "removed", 5),
    ("the last", "DELETE FROM audit_records WHERE seq = 12", "removed", 12),
    ("all records", "DELETE FROM audit_records", "removed", 1),
    ("everything", emptied, "removed", 1),
    ("a forged last one", forged_last, "inserted", 13),
    ("a forged first one", forged_first, "inserted", 0),
    ("two swapped", swapped, "moved", 5),
    ("one in between", inserted, "changed", 8),
    (
        "a head's body",
        f"{HEAD} body = replace(body, '2026', '2025') WHERE number = 1",
        "head",
        None,
    ),
    ("a head's digest", f"{HEAD} digest = 'x' WHERE number = 1", "head", 4),
    ("a head's day", f"{HEAD} day = '2020-01-01' WHERE number = 1", "head", 4),
    ("a signature", f"{HEAD} signature = '00' WHERE number = 2", "head", None),
    ("a head", "DELETE FROM audit_heads WHERE number = 1", "head", 8),
    ("the last head", "DELETE FROM audit_heads WHERE number = 2", "head", None),
    ("the state", "DELETE FROM audit_state", "state", None),
    ("the state's body", "UPDATE audit_state SET body = replace(body, '12', '11')", "state", None),
    ("a text", "UPDATE audit_texts SET text = '另' WHERE seq = 5", "text", 5),
    ("a text's grade", "UPDATE audit_texts SET grade = 1 WHERE seq = 5", "text", 5),
    ("a text removed", "DELETE FROM audit_texts WHERE seq = 5 AND part = 'answer'", "text", 5),
    ("a text too many", "INSERT INTO audit_texts VALUES (6, 'answer', 2, '另')", "text", 6),
    ("a sum", "UPDATE usage_days SET cost = 1", "usage", None),
    ("a sum removed", "DELETE FROM usage_days", "usage", None),
)


async def tamper(connection: AsyncConnection, how: Any) -> None:
    await (connection.exec_driver_sql(how) if isinstance(how, str) else how(connection))


async def test_every_tampering_is_found(book: Book) -> None:
    verdict = await book.check()
    assert (verdict.fault, verdict.records, verdict.heads) == (None, 12, 2)
    async with book.engine.begin() as connection:
        kept = await snapshot(connection)
    for name, how, kind, seq in TAMPERED:
        async with book.engine.begin() as connection:
            await tamper(connection, how)
        fault = (await book.check()).fault
        assert fault is not None, name
        assert (fault.kind, fault.seq) == (kind, seq), (name, fault)
        async with book.engine.begin() as connection:
            await restore(connection, kept)
    assert (await book.check()).ok


async def test_a_whole_chain_made_anew_is_found_at_its_first_head(book: Book) -> None:
    async with book.engine.begin() as connection:
        await tamper(connection, CHEAPER.replace("seq = 5", "seq = 2"))
        await connection.execute(text("UPDATE audit_records SET cost = 1 WHERE seq = 2"))
        await rechain(connection, 2)
    fault = (await book.check()).fault
    assert fault is not None
    assert (fault.kind, fault.seq) == ("changed", 4)


async def test_an_older_state_put_back_is_found_by_the_heads_file(book: Book) -> None:
    async with book.engine.begin() as connection:
        kept = await snapshot(connection)
    await book.chain.append([of_action(an_action("1"))])
    later = HeadsFile(book.heads, every_s=0)
    await later.told(await book.chain.append([of_action(an_action("2"))]))
    async with book.engine.begin() as connection:
        await restore(connection, kept)
    fault = (await book.check()).fault
    assert fault is not None
    assert (fault.kind, fault.seq) == ("removed", 13)
    with pytest.raises(ChainBroken):
        await book.chain.append([of_action(an_action("3"))])


async def test_another_key_is_not_trusted(book: Book, tmp_path: Path) -> None:
    stranger = open_key(tmp_path / "stranger")
    verdict = await verify(book.engine, Trusted({stranger.id: stranger.public}))
    assert verdict.fault is not None
    assert verdict.fault.kind == "state"
    with pytest.raises(ChainBroken):
        await Chain(book.engine, stranger, trusted(tmp_path / "stranger")).append([])


async def test_a_new_key_may_follow_a_trusted_one(book: Book, tmp_path: Path) -> None:
    (book.folder / KEY_FILE).unlink()
    await a_chain(book.engine, book.folder, book.clock).append([of_action(an_action("1"))])
    assert len(trusted(book.folder).keys) == 2
    assert (await book.check()).ok


async def test_some_days_are_verified_alone(book: Book) -> None:
    day = Days(datetime(2026, 11, 25).date(), datetime(2026, 11, 25).date())
    verdict = await book.check(day)
    assert (verdict.ok, verdict.records, verdict.first, verdict.last) == (True, 4, 5, 8)
    async with book.engine.begin() as connection:
        await connection.execute(text("DELETE FROM audit_records WHERE seq = 3"))
    assert (await book.check(day)).ok
    with pytest.raises(BadRange):
        Days(datetime(2026, 11, 26).date(), datetime(2026, 11, 25).date())


async def test_a_torn_or_forged_heads_file_is_found(book: Book) -> None:
    with book.heads.open("a") as file:
        file.write('{"body": "x", "signature": "00"}\n')
    fault = (await book.check()).fault
    assert fault is not None
    assert fault.kind == "heads_file"


async def test_heads_a_killed_process_did_not_write_are_written(book: Book) -> None:
    book.heads.unlink()
    await HeadsFile(book.heads).catch_up(book.engine)
    assert len(book.heads.read_bytes().splitlines()) == 2
    await HeadsFile(book.heads).catch_up(book.engine)
    assert len(book.heads.read_bytes().splitlines()) == 2
    assert (await book.check()).ok


async def test_pruning_leaves_a_chain_that_verifies(book: Book) -> None:
    with pytest.raises(BadRange):
        await prune(book.engine, book.chain, 179, book.clock.moment)
    book.clock.moment += timedelta(days=180)
    pruned = await prune(book.engine, book.chain, 180, book.clock.moment)
    assert (pruned.records, pruned.last) == (8, 8)
    verdict = await book.check()
    assert (verdict.fault, verdict.records, verdict.first) == (None, 5, 9)
    again = await prune(book.engine, book.chain, 180, book.clock.moment)
    assert again.records == 0
    async with book.engine.begin() as connection:
        await connection.execute(text("DELETE FROM audit_records WHERE seq = 9"))
    fault = (await book.check()).fault
    assert fault is not None
    assert (fault.kind, fault.seq) == ("removed", 9)


async def test_an_export_verifies_alone(book: Book, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    told = await export(book.engine, book.key, Days(datetime(2026, 11, 25).date()), out)
    assert (told.records, told.first, told.last) == (8, 5, 12)
    keys = Trusted({book.key.id: read_pem(pem(book.key.public))})
    assert verify_file(out, keys).ok
    assert not verify_file(out, Trusted({})).ok
    lines = out.read_bytes().splitlines(keepends=True)
    forged: dict[str, list[bytes]] = {
        "changed": [*lines[:3], lines[3].replace(b"done", b"cut!"), *lines[4:]],
        "removed": [*lines[:3], *lines[4:]],
        "swapped": [*lines[:3], lines[4], lines[3], *lines[5:]],
        "the last": [*lines[:-2], lines[-1]],
        "no end": lines[:-1],
        "more": [*lines, lines[-2]],
        "the head": [lines[0].replace(b"2026-11-25", b"2026-11-20"), *lines[1:]],
        "another": [b"{}\n", *lines[1:]],
        "nothing": [],
    }
    for name, changed in forged.items():
        out.write_bytes(b"".join(changed))
        assert not verify_file(out, keys).ok, name


async def test_a_broken_chain_is_not_exported(book: Book, tmp_path: Path) -> None:
    async with book.engine.begin() as connection:
        await tamper(connection, CHEAPER)
    with pytest.raises(ChainBroken):
        await export(book.engine, book.key, Days(), tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


async def test_administrative_actions_are_links_too(book: Book) -> None:
    try:
        async with book.engine.begin() as connection:
            await book.chain.append_in(connection, [of_action(an_action("1"))])
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert (await book.check()).records == 12
    async with book.engine.begin() as connection:
        await book.chain.append_in(connection, [of_action(an_action("1"))])
    assert (await book.check()).records == 13


async def test_an_empty_database_is_whole(engine: AsyncEngine, tmp_path: Path) -> None:
    verdict = await verify(engine, trusted(tmp_path))
    assert (verdict.ok, verdict.records) == (True, 0)


def test_the_key_file_is_private_and_checked(tmp_path: Path) -> None:
    key = open_key(tmp_path)
    path = tmp_path / KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_key(tmp_path) == key
    assert open_key(tmp_path, path.read_text()) == key
    path.write_text("00" * 96)
    with pytest.raises(SigningKeyWrong, match="SM2"):
        open_key(tmp_path)


def an_action(name: str) -> AdminAction:
    return AdminAction(name, "u1", "system_admin", "key.create", "k1", datetime.now(UTC))
