"""Looks for any record that was changed, removed, inserted or moved, and for any false head.

Reads only, in one snapshot. Knows the rules of the chain; trusts no row and only the given keys.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from zhengwu.db.engine import reader
from zhengwu.db.tables import AuditHead, AuditRecord, AuditState, AuditText
from zhengwu.gateway.audit.digest import link, sm3
from zhengwu.gateway.audit.heads import read_heads
from zhengwu.gateway.audit.keys import Trusted
from zhengwu.gateway.audit.record import columns
from zhengwu.gateway.audit.seal import Head, Sealed, State, genuine, read_head, read_state
from zhengwu.gateway.audit.span import Days, Span, find_span
from zhengwu.gateway.audit.usage_check import wrong_sums

PAGE = 1000


@dataclass(frozen=True)
class Fault:
    """The first bad place. `seq` is a record's number, or None where no record is concerned.

    `kind`: changed, removed, inserted, moved, column, text, head, state, heads_file or usage.
    """

    kind: str
    seq: int | None
    message: str


@dataclass(frozen=True)
class Verdict:
    """What was looked at, and the first fault."""

    records: int
    first: int
    last: int
    heads: int
    fault: Fault | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return self.fault is None


class _Found(Exception):
    def __init__(self, kind: str, seq: int | None, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(kind, seq, message)


@dataclass
class _Walk:
    """How far a check has come."""

    heads: dict[int, Head] = field(default_factory=dict[int, Head])
    stated: dict[int, str] = field(default_factory=dict[int, str])
    """Digests that signed statements of the heads file give for a record's number."""
    records: int = 0


async def verify(
    engine: AsyncEngine, trusted: Trusted, heads_file: Path | None = None, days: Days | None = None
) -> Verdict:
    """Check the chain of a database, or of some days of it.

    Args:
        engine: the database.
        trusted: whose signatures count.
        heads_file: statements that were kept elsewhere, compared with the database.
        days: None is everything; sums of usage are compared only then.
    """
    walk = _Walk()
    span = Span(0, "", 0)
    async with reader(engine).connect() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execution_options(isolation_level="REPEATABLE READ")
        try:
            state = await _state(connection, trusted)
            await _heads(connection, trusted, state, walk)
            _heads_file(heads_file, trusted, state, walk)
            span = await find_span(connection, state, days or Days())
            await _records(connection, state, span, walk)
            if (days is None or days.whole) and (told := await wrong_sums(connection, state)):
                raise _Found("usage", None, told)
        except _Found as found:
            return Verdict(walk.records, span.after + 1, span.last, len(walk.heads), found.fault)
    return Verdict(walk.records, span.after + 1, span.last, len(walk.heads))


async def _state(connection: AsyncConnection, trusted: Trusted) -> State:
    rows = (await connection.execute(select(AuditState.body, AuditState.signature))).all()
    if not rows:
        any_record = (await connection.execute(select(AuditRecord.seq).limit(1))).first()
        any_head = (await connection.execute(select(AuditHead.number).limit(1))).first()
        if any_record or any_head:
            raise _Found("state", None, "链尾签名被删除")
        return State()
    sealed = Sealed(rows[0].body.encode(), rows[0].signature)
    state = read_state(sealed.body)
    if len(rows) > 1 or state is None or not genuine(sealed, trusted):
        raise _Found("state", None, "链尾签名无效，或由未受信任的密钥签署")
    return state


async def _heads(connection: AsyncConnection, trusted: Trusted, state: State, walk: _Walk) -> None:
    rows = (await connection.execute(select(AuditHead).order_by(AuditHead.number))).all()
    before, day = State().head_digest, ""
    for expected, row in enumerate(rows, 1):
        sealed = Sealed(row.body.encode(), row.signature)
        head = read_head(sealed.body)
        if head is None or not genuine(sealed, trusted):
            raise _Found("head", None, f"第 {row.number} 个日签名无效")
        stored = (row.number, row.day.isoformat(), row.digest)
        if stored != (expected, head.day, sealed.digest) or head.number != expected:
            raise _Found("head", head.seq, f"{head.day} 的日签名被改动或次序有误")
        if head.before != before or head.day <= day or head.seq > state.seq:
            raise _Found("head", head.seq, f"{head.day} 的日签名与前一个不相接")
        before, day = sealed.digest, head.day
        walk.heads[head.seq] = head
    if (len(rows), before) != (state.heads, state.head_digest):
        raise _Found("head", None, f"日签名应有 {state.heads} 个，实有 {len(rows)} 个")


def _heads_file(path: Path | None, trusted: Trusted, state: State, walk: _Walk) -> None:
    if path is None:
        return
    of_day = {head.number: head for head in walk.heads.values()}
    for number, sealed in enumerate(read_heads(path), 1):
        if not genuine(sealed, trusted):
            raise _Found("heads_file", None, f"签名文件第 {number} 行无效")
        said = read_head(sealed.body) or read_state(sealed.body)
        if said is None:
            raise _Found("heads_file", None, f"签名文件第 {number} 行无法识别")
        if said.seq > state.seq:
            told = f"曾签署到第 {said.seq} 条，数据库只到第 {state.seq} 条：其后的记录被删除"
            raise _Found("removed", state.seq + 1, told)
        if isinstance(said, Head) and of_day.get(said.number) != said:
            raise _Found("head", said.seq, f"{said.day} 的日签名与签名文件不符")
        if walk.stated.setdefault(said.seq, said.digest) != said.digest:
            raise _Found("heads_file", said.seq, f"签名文件第 {number} 行与前面的行矛盾")


async def _records(connection: AsyncConnection, state: State, span: Span, walk: _Walk) -> None:
    digest, expected = span.before, span.after + 1
    async for row in _rows(connection, span.after):
        if row.seq > state.seq:
            raise _Found("inserted", row.seq, f"第 {row.seq} 条在链尾之后")
        if row.seq > span.last:
            break
        if row.seq != expected:
            raise _Found("removed", expected, f"第 {expected} 条缺失")
        digest = _check(row, digest)
        _compare(row.seq, digest, walk)
        walk.records += 1
        expected += 1
    if expected <= span.last:
        raise _Found("removed", expected, f"第 {expected} 条缺失")
    if span.last == state.seq and digest != state.digest:
        raise _Found("changed", state.seq, f"第 {state.seq} 条与链尾签名不符")
    await _early(connection, state)
    await _texts(connection, span)


async def _rows(connection: AsyncConnection, after: int) -> AsyncIterator[Row[Any]]:
    while True:
        page = select(AuditRecord).where(AuditRecord.seq > after).order_by(AuditRecord.seq)
        rows = (await connection.execute(page.limit(PAGE))).all()
        for row in rows:
            yield row
        if len(rows) < PAGE:
            return
        after = rows[-1].seq


def _check(row: Row[Any], before: str) -> str:
    """The digest of a record that is what it says."""
    try:
        body: Any = orjson.loads(row.body)
        number = body["seq"]
        expected = columns(body)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise _Found("changed", row.seq, f"第 {row.seq} 条的内容无法识别") from error
    if number != row.seq:
        told = f"第 {row.seq} 条的内容原为第 {number} 条：被移动，或其前有插入、删除"
        raise _Found("moved", row.seq, told)
    digest = link(before, row.body.encode())
    if digest != row.digest:
        raise _Found("changed", row.seq, f"第 {row.seq} 条被改动")
    for name, value in expected.items():
        if _plain(getattr(row, name)) != value:
            raise _Found("column", row.seq, f"第 {row.seq} 条的 {name} 列与内容不符")
    return digest


def _compare(seq: int, digest: str, walk: _Walk) -> None:
    head = walk.heads.get(seq)
    if head is not None and head.digest != digest:
        raise _Found("changed", seq, f"第 {seq} 条与 {head.day} 的日签名不符")
    if walk.stated.get(seq, digest) != digest:
        raise _Found("changed", seq, f"第 {seq} 条与签名文件不符")


async def _early(connection: AsyncConnection, state: State) -> None:
    """Nothing may stand before what was pruned."""
    query = select(AuditRecord.seq).where(AuditRecord.seq <= state.pruned_seq).limit(1)
    if row := (await connection.execute(query)).first():
        raise _Found("inserted", row.seq, f"第 {row.seq} 条在已到期清理的范围内")


async def _texts(connection: AsyncConnection, span: Span) -> None:
    """Every kept text has its digest in its record, and the other way round."""
    inside = (AuditText.seq > span.after, AuditText.seq <= span.last)
    kept = (await connection.execute(select(AuditText).where(*inside))).all()
    texts = {(row.seq, row.part): row for row in kept}
    async for row in _rows(connection, span.after):
        if row.seq > span.last:
            break
        body: Any = orjson.loads(row.body)
        for part, digest in (body.get("text_digests") or {}).items():
            text = texts.pop((row.seq, part), None)
            if text is None or sm3(text.text.encode()) != digest or text.grade != body["grade"]:
                raise _Found("text", row.seq, f"第 {row.seq} 条的留存文本被改动或删除")
    if texts:
        seq = min(texts)[0]
        raise _Found("text", seq, f"第 {seq} 条多出留存文本")


def _plain(value: object) -> object:
    """A column's value as `columns` writes it."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.isoformat() if hasattr(value, "isoformat") else value  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
