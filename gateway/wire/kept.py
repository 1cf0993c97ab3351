"""The answers kept by idempotency key: claimed, held while worked on, kept for a day.

Knows the table; knows nothing of HTTP.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from zhengwu.db.tables import IdempotentAnswer, now
from zhengwu.gateway.wire.errors import KeyReused

KEPT = timedelta(hours=24)
HOLD = timedelta(seconds=60)
"""How long a claim stands without being renewed: after a kill -9 the key is free again."""
MAX_KEYS = 10_000
"""As many answers as one caller's key may have at once."""
TOO_LARGE = 0
"""The status kept for an answer that was too large to keep."""
Row = IdempotentAnswer


@dataclass(frozen=True)
class Claim:
    """The right to work on one idempotency key."""

    id: str
    holder: str


@dataclass(frozen=True)
class Answer:
    """What was answered."""

    status: int
    content_type: str
    content: bytes


class KeptAnswers:
    """The answers of one database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(self, key_id: str, key: str, request: bytes) -> Claim | Answer:
        """Take `key` for `request`, or find what was answered to the same request.

        Raises:
            KeyReused: for another request, while the first still runs, or too many keys.
        """
        claim = Claim(hashlib.sha256(f"{key_id}\0{key}".encode()).hexdigest(), uuid4().hex)
        digest = hashlib.sha256(request).hexdigest()
        try:
            async with self._engine.begin() as connection:
                await self._room(connection, key_id)
                await connection.execute(insert(Row).values(**_fresh(claim, key_id, digest)))
            return claim
        except IntegrityError:
            return await self._known(claim, digest)

    async def renew(self, claim: Claim) -> None:
        """Say that the claim is still worked on."""
        await self._run(update(Row).where(_held(claim)).values(held_until=now() + HOLD))

    async def keep(self, claim: Claim, answer: Answer) -> None:
        """Keep what was answered; when this returns it is on disk."""
        values = {
            "holder": None,
            "status": answer.status,
            "headers": [answer.content_type],
            "content": answer.content,
        }
        await self._run(update(Row).where(_held(claim)).values(**values))

    async def release(self, claim: Claim) -> None:
        """Give the key back: the request failed, and may be sent again."""
        await self._run(delete(Row).where(_held(claim)))

    async def _room(self, connection: AsyncConnection, key_id: str) -> None:
        await connection.execute(delete(Row).where(Row.expires < now()))
        query = select(func.count()).select_from(Row).where(Row.key_id == key_id)
        if (await connection.scalar(query) or 0) >= MAX_KEYS:
            raise KeyReused(f"24 小时内最多使用 {MAX_KEYS} 个幂等键，请稍后再试。", 3600)

    async def _known(self, claim: Claim, digest: str) -> Claim | Answer:
        async with self._engine.begin() as connection:
            query = select(Row.__table__).where(Row.id == claim.id).with_for_update()
            row = (await connection.execute(query)).first()
            if row is None:  # given back this very moment
                raise KeyReused("同一幂等键的请求刚刚结束，请重试。", 1)
            if row.request != digest:
                raise KeyReused("这个幂等键已用于内容不同的请求，请换一个新的幂等键。")
            if row.holder is None:
                return _answer(row.status, row.headers, row.content)
            retake = update(Row).where(Row.id == claim.id, Row.held_until < now())
            taken = await connection.execute(
                retake.values(holder=claim.holder, held_until=now() + HOLD)
            )
        if not taken.rowcount:
            raise KeyReused("同一幂等键的请求正在处理，请稍后重试。", 1)
        return claim

    async def _run(self, statement: object) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(statement)  # pyright: ignore[reportCallIssue, reportArgumentType]


def _fresh(claim: Claim, key_id: str, digest: str) -> dict[str, object]:
    moment = now()
    return {
        "id": claim.id,
        "key_id": key_id,
        "request": digest,
        "holder": claim.holder,
        "held_until": moment + HOLD,
        "status": 0,
        "headers": [],
        "content": b"",
        "created": moment,
        "expires": moment + KEPT,
    }


def _held(claim: Claim) -> ColumnElement[bool]:
    return and_(Row.id == claim.id, Row.holder == claim.holder)


def _answer(status: int, headers: list[str], content: bytes) -> Answer:
    if status == TOO_LARGE:
        raise KeyReused("同一幂等键的请求已处理完，但答复过大没有保存；请换一个新的幂等键。")
    return Answer(status, headers[0], content)
