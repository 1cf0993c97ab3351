"""Opens the audit trail of one gateway process, and closes it with nothing left behind."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.tables import now
from zhengwu.gateway.audit.chain import Appended, Chain
from zhengwu.gateway.audit.digest import need_sm3
from zhengwu.gateway.audit.errors import SigningKeyWrong
from zhengwu.gateway.audit.heads import HeadsFile
from zhengwu.gateway.audit.journal import Journal
from zhengwu.gateway.audit.keys import (
    KEY_FILE,
    SigningKey,
    Trusted,
    key_id,
    open_key,
    read_pem,
    trusted,
)
from zhengwu.gateway.audit.move import Mover
from zhengwu.gateway.audit.retention import prune
from zhengwu.gateway.audit.trail import JournalTrail
from zhengwu.settings import Settings

CLOSING_S = 10.0


@dataclass(frozen=True)
class Audit:
    """The audit trail of one process."""

    trail: JournalTrail
    mover: Mover
    chain: Chain


def signing_key(settings: Settings) -> SigningKey:
    """The key that signs, as these settings have it.

    Raises:
        SigningKeyWrong: it is no SM2 key pair.
    """
    given = settings.audit_key.get_secret_value() if settings.audit_key else None
    return open_key(settings.audit_dir, given)


def new_key(settings: Settings) -> SigningKey:
    """Another key from now on; signatures of the one before count still.

    Raises:
        SigningKeyWrong: the key comes from the environment and is changed there.
    """
    if settings.audit_key:
        raise SigningKeyWrong("签名密钥由环境变量 ZHENGWU_AUDIT_KEY 给出，请在那里更换。")
    signing_key(settings)
    (settings.audit_dir / KEY_FILE).rename(settings.audit_dir / f"{KEY_FILE}.old")
    return signing_key(settings)


def trusted_keys(settings: Settings, public_key: Path | None = None) -> Trusted:
    """Whose signatures count: one given key, or those of this home.

    Raises:
        SigningKeyWrong: the file is no SM2 public key.
    """
    if public_key is None:
        return trusted(settings.audit_dir)
    public = read_pem(public_key.read_text("utf-8"))
    return Trusted({key_id(public): public})


def open_chain(settings: Settings, engine: AsyncEngine) -> Chain:
    """The chain of a database, with the key of these settings.

    Raises:
        DigestMissing: this Python has no SM3.
        SigningKeyWrong: the key is no SM2 key pair.
    """
    need_sm3()
    key = signing_key(settings)
    return Chain(engine, key, trusted(settings.audit_dir))


@asynccontextmanager
async def open_audit(settings: Settings, engine: AsyncEngine) -> AsyncGenerator[Audit]:
    """The trail and its mover, which works until the context is left.

    Raises:
        AuditError: it cannot begin; the message names the remedy.
    """
    chain = open_chain(settings, engine)
    heads = HeadsFile(settings.audit_heads)
    await heads.catch_up(engine)

    async def told(appended: Appended) -> None:
        await heads.told(appended)
        if appended.head:
            await prune(engine, chain, settings.audit_retention_days, now())

    root = settings.audit_dir / "journals"
    journal = Journal(root)
    trail = JournalTrail(journal)
    mover = Mover(root, chain, journal, trail, settings.audit_fsync, told)
    moving = asyncio.create_task(mover.run(), name="audit mover")
    try:
        yield Audit(trail, mover, chain)
    finally:
        moving.cancel()
        await asyncio.wait([moving])
        await _last(mover)
        journal.close()


async def _last(mover: Mover) -> None:
    """What is finished goes to the database now; without one, the next start takes it up."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSING_S):
            await mover.last()
