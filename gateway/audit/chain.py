"""Appends records to the chain in the database: one writer at a time, each record once.

Knows records, their order and their signatures; where they come from it does not know. Rows go
in as one JSON parameter that the database takes apart: a third of the time of bound columns.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import orjson
from sqlalchemy import TextClause, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from zhengwu.db.tables import AuditHead, AuditRecord, AuditState, now
from zhengwu.gateway.audit.digest import link
from zhengwu.gateway.audit.errors import ChainBroken
from zhengwu.gateway.audit.keys import SigningKey, Trusted
from zhengwu.gateway.audit.record import Body, Entry, canonical, china_day, columns
from zhengwu.gateway.audit.seal import Head, Sealed, State, genuine, read_state, seal
from zhengwu.gateway.audit.statements import (
    INSERT_RECORDS,
    INSERT_TEXTS,
    KNOWN_IDS,
    UPSERT_USAGE,
    for_dialect,
)
from zhengwu.gateway.audit.sums import usage_rows

LOCK = 0x7A775F6175646974  # "zw_audit"
STATE = 1


@dataclass(frozen=True)
class Appended:
    """What one transaction did: the state afterwards, and a head if a day ended."""

    added: int
    state: Sealed
    head: Sealed | None = None


class Chain:
    """The chain of one database."""

    def __init__(
        self,
        engine: AsyncEngine,
        key: SigningKey,
        trusted: Trusted,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._engine = engine
        self._key = key
        self._trusted = trusted
        self._clock = clock
        self._seen = 0

    async def append(self, entries: Sequence[Entry]) -> Appended:
        """Append, in a transaction of its own, what is not in the chain yet.

        Raises:
            ChainBroken: the chain's end is not what was signed; `zhengwu audit verify` says more.
        """
        async with self._engine.begin() as connection:
            appended = await self.append_in(connection, entries)
        state = read_state(appended.state.body)
        self._seen = state.seq if state else self._seen
        return appended

    async def append_in(self, connection: AsyncConnection, entries: Sequence[Entry]) -> Appended:
        """Append within a transaction that does other things: both are kept or neither.

        Raises:
            ChainBroken: as for `append`.
        """
        moment = self._clock()
        state = await self._state(connection)
        state, head = await self._end_day(connection, state, moment)
        fresh = await self._fresh(connection, entries)
        rows, bodies, digest = _rows(state, fresh)
        if rows:
            await _write(connection, rows, bodies, fresh)
        state = replace(state, seq=state.seq + len(rows), digest=digest).at_moment(moment)
        sealed = seal(state, self._key)
        await connection.execute(
            update(AuditState)
            .where(AuditState.id == STATE)
            .values(body=sealed.body.decode(), signature=sealed.signature)
        )
        return Appended(len(rows), sealed, head)

    async def change_state(
        self, connection: AsyncConnection, change: Callable[[State], State]
    ) -> Sealed:
        """Sign another state, under the lock. Retention uses it."""
        moment = self._clock()
        state, _ = await self._end_day(connection, await self._state(connection), moment)
        state = change(state).at_moment(moment)
        sealed = seal(state, self._key)
        await connection.execute(
            update(AuditState)
            .where(AuditState.id == STATE)
            .values(body=sealed.body.decode(), signature=sealed.signature)
        )
        return sealed

    async def _state(self, connection: AsyncConnection) -> State:
        """The signed end of the chain, under the lock, compared with what is there."""
        if connection.dialect.name == "postgresql":
            await connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
        row = (await connection.execute(select(AuditState.body, AuditState.signature))).first()
        last = (
            await connection.execute(
                select(AuditRecord.seq, AuditRecord.digest)
                .order_by(AuditRecord.seq.desc())
                .limit(1)
            )
        ).first()
        if row is None:
            if last is not None or self._seen:
                raise _broken("没有链尾签名")
            empty = seal(State().at_moment(self._clock()), self._key)
            await connection.execute(
                insert(AuditState).values(
                    id=STATE, body=empty.body.decode(), signature=empty.signature
                )
            )
            return State().at_moment(self._clock())
        sealed = Sealed(row.body.encode(), row.signature)
        state = read_state(sealed.body)
        if state is None or not genuine(sealed, self._trusted):
            raise _broken("链尾签名无效，或由未受信任的密钥签署")
        end = (last.seq, last.digest) if last else (state.pruned_seq, state.pruned_digest)
        if end != (state.seq, state.digest) or state.seq < self._seen:
            raise _broken(f"链尾应为第 {state.seq} 条，实际为第 {end[0]} 条")
        return state

    async def _end_day(
        self, connection: AsyncConnection, state: State, moment: datetime
    ) -> tuple[State, Sealed | None]:
        """Write the head of the day of `state` if that day is over."""
        today = china_day(moment).isoformat()
        if not state.seq or state.day >= today:
            return state, None
        number = state.heads + 1
        head = Head(number, state.day, state.seq, state.digest, state.head_digest, state.at)
        sealed = seal(head, self._key)
        await connection.execute(
            insert(AuditHead).values(
                number=number,
                day=datetime.fromisoformat(state.day).date(),
                body=sealed.body.decode(),
                digest=sealed.digest,
                signature=sealed.signature,
            )
        )
        return replace(state, heads=number, head_digest=sealed.digest), sealed

    async def _fresh(
        self, connection: AsyncConnection, entries: Sequence[Entry]
    ) -> Sequence[Entry]:
        if not entries:
            return ()
        ids = orjson.dumps([entry.id for entry in entries]).decode()
        known = set(await connection.scalars(_of(connection, KNOWN_IDS), {"ids": ids}))
        firsts = {entry.id: entry for entry in entries if entry.id not in known}
        return tuple(firsts.values())


def _rows(
    state: State, entries: Sequence[Entry]
) -> tuple[list[dict[str, object]], list[Body], str]:
    rows: list[dict[str, object]] = []
    bodies: list[Body] = []
    digest = state.digest
    for seq, entry in zip(itertools.count(state.seq + 1), entries, strict=False):
        body: Body = {**entry.facts, "seq": seq}
        data = canonical(body)
        digest = link(digest, data)
        rows.append({**columns(body), "body": data.decode(), "digest": digest})
        bodies.append(body)
    return rows, bodies, digest


async def _write(
    connection: AsyncConnection,
    rows: list[dict[str, object]],
    bodies: list[Body],
    entries: Sequence[Entry],
) -> None:
    await connection.execute(_of(connection, INSERT_RECORDS), _json(rows))
    if usage := usage_rows(rows):
        await connection.execute(_of(connection, UPSERT_USAGE), _json(usage))
    texts = [
        {"seq": body["seq"], "part": part, "grade": body["grade"], "text": kept}
        for body, entry in zip(bodies, entries, strict=True)
        for part, kept in entry.texts.items()
    ]
    if texts:
        await connection.execute(_of(connection, INSERT_TEXTS), _json(texts))


def _of(connection: AsyncConnection, statement: str) -> TextClause:
    return text(for_dialect(statement, connection.dialect.name))


def _json(rows: object) -> dict[str, str]:
    return {"rows": orjson.dumps(rows).decode()}


def _broken(what: str) -> ChainBroken:
    return ChainBroken(
        f"审计链无法接续：{what}。记录仍完整保存在本机日志中；"
        "请由审计管理员运行 zhengwu audit verify 查明原因。"
    )
