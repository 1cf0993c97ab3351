"""Writes a stretch of the chain into a file that can be verified without the database.

JSON Lines: a head line that says what is inside, one line a record, and a last line that signs
the head line and the digest of the last record. Knows files; knows no request.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from zhengwu.db.engine import reader
from zhengwu.db.tables import AuditRecord, AuditState
from zhengwu.gateway.audit.digest import link
from zhengwu.gateway.audit.errors import ChainBroken
from zhengwu.gateway.audit.keys import SigningKey, Trusted
from zhengwu.gateway.audit.record import canonical
from zhengwu.gateway.audit.seal import State, read_state
from zhengwu.gateway.audit.span import Days, Span, find_span
from zhengwu.gateway.audit.verify import PAGE, Fault, Verdict

FORMAT = "zhengwu-audit-1"
Line = dict[str, Any]


@dataclass(frozen=True)
class Exported:
    """What went into a file."""

    records: int
    first: int
    last: int
    digest: str
    key: str


async def export(engine: AsyncEngine, key: SigningKey, days: Days, out: Path) -> Exported:
    """Write the records of `days` to `out`.

    Raises:
        ChainBroken: a record does not follow the one before; nothing is left at `out`.
    """
    part = out.with_name(f".{out.name}.part")
    try:
        async with reader(engine).connect() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execution_options(isolation_level="REPEATABLE READ")
            span = await find_span(connection, await _state(connection), days)
            with part.open("wb") as file:
                told = _told(span, days, key)
                file.write(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE))
                digest = span.before
                async for row in _rows(connection, span):
                    digest = _follow(digest, row.seq, row.body, row.digest)
                    line = {"seq": row.seq, "body": row.body, "digest": row.digest}
                    file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
                message = _message(told, digest)
                last = {"type": "end", "digest": digest, "signature": key.sign(message)}
                file.write(orjson.dumps(last, option=orjson.OPT_APPEND_NEWLINE))
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return Exported(span.last - span.after, span.after + 1, span.last, digest, key.id)


def verify_file(path: Path, trusted: Trusted) -> Verdict:
    """Check an exported file on its own."""
    with path.open("rb") as file:
        told = _line(file.readline())
        if told.get("format") != FORMAT:
            return _bad(0, Fault("changed", None, "文件不是审计导出，或开头被改动"))
        digest, expected = str(told["before"]), int(told["first"])
        for raw in file:
            line = _line(raw)
            if line.get("type") == "end":
                return _ended(told, expected, digest, line, trusted, file.read(1))
            fault = _fault(line, expected, digest)
            if fault:
                return _bad(expected - int(told["first"]), fault)
            digest, expected = str(line["digest"]), expected + 1
    return _bad(0, Fault("removed", expected, "文件在中途结束，缺少签名"))


def _ended(
    told: Line, expected: int, digest: str, line: Line, trusted: Trusted, rest: bytes
) -> Verdict:
    records = expected - int(told["first"])
    if expected - 1 != told["last"] or rest:
        return _bad(records, Fault("removed", expected, "记录条数与开头所述不符"))
    key, signature = str(told.get("key")), str(line.get("signature"))
    if not trusted.verifies(key, _message(told, digest), signature):
        return _bad(records, Fault("head", None, "签名无效，或由未受信任的密钥签署"))
    return Verdict(records, int(told["first"]), int(told["last"]), 0)


def _fault(line: Line, expected: int, digest: str) -> Fault | None:
    if line.get("seq") != expected:
        return Fault("removed", expected, f"第 {expected} 条缺失或次序有误")
    if link(digest, str(line.get("body")).encode()) != line.get("digest"):
        return Fault("changed", expected, f"第 {expected} 条被改动")
    return None


def _bad(records: int, fault: Fault) -> Verdict:
    return Verdict(records, 0, 0, 0, fault)


def _line(raw: bytes) -> Line:
    try:
        line: object = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return cast(Line, line) if isinstance(line, dict) else {}


def _told(span: Span, days: Days, key: SigningKey) -> Line:
    return {
        "format": FORMAT,
        "from": days.first.isoformat() if days.first else None,
        "to": days.last.isoformat() if days.last else None,
        "first": span.after + 1,
        "last": span.last,
        "before": span.before,
        "key": key.id,
    }


def _message(told: Line, digest: str) -> bytes:
    return canonical({**told, "digest": digest})


async def _state(connection: AsyncConnection) -> State:
    body = await connection.scalar(select(AuditState.body))
    return (read_state(body.encode()) if body else None) or State()


async def _rows(connection: AsyncConnection, span: Span) -> AsyncIterator[Any]:
    after = span.after
    while after < span.last:
        query = select(AuditRecord.seq, AuditRecord.body, AuditRecord.digest)
        inside = query.where(AuditRecord.seq > after, AuditRecord.seq <= span.last)
        rows = (await connection.execute(inside.order_by(AuditRecord.seq).limit(PAGE))).all()
        if not rows:
            raise _gap(after + 1)
        for row in rows:
            yield row
        after = rows[-1].seq


def _follow(before: str, seq: int, body: str, digest: str) -> str:
    if link(before, body.encode()) != digest:
        raise _gap(seq)
    return digest


def _gap(seq: int) -> ChainBroken:
    return ChainBroken(f"审计链在第 {seq} 条断开，未导出。请先运行 zhengwu audit verify 查明原因。")
