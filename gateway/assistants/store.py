"""Assistants, their versions and shares in the database. Knows the tables; asks no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from zhengwu.db.engine import reader
from zhengwu.db.tables import Assistant, AssistantShare, AssistantVersion, in_utc, now
from zhengwu.gateway.assistants.definition import NAME, Definition
from zhengwu.gateway.assistants.errors import (
    AssistantForbidden,
    AssistantRefused,
    UnknownAssistant,
)
from zhengwu.gateway.assistants.rights import Quota
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.wire.owner import owner_of

State = Literal["draft", "published", "withdrawn"]
NEXT: Mapping[State, tuple[State, ...]] = {"published": ("draft",), "withdrawn": ("published",)}
"""A state → the states that it may follow."""
MAX_VERSIONS, MAX_ASSISTANTS = 1000, 500


@dataclass(frozen=True)
class Version:
    """One version of an assistant as it stands."""

    name: str
    version: int
    state: State
    owner: str
    tenant: str
    key_id: str
    definition: Definition
    functions: Sequence[Mapping[str, Any]]
    created: datetime


@dataclass(frozen=True)
class Share:
    """A tenant that may use an assistant."""

    tenant: str
    quota: Quota


@dataclass(frozen=True)
class Found:
    """An assistant that a caller may use. `share` is None for its owner."""

    version: Version
    share: Share | None


class Catalogue:
    """The assistants of one database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reader = reader(engine)

    async def register(
        self, caller: Caller, definition: Definition, functions: Sequence[Mapping[str, Any]]
    ) -> Version:
        """Keep a new version, as a draft.

        Raises:
            AssistantForbidden: the name is another's.
            AssistantRefused: too many versions or assistants, or two came at once.
        """
        name, owner = definition.name, owner_of(caller)
        try:
            async with self._engine.begin() as connection:
                number = await self._next(connection, caller, name)
                values = {
                    "assistant": name,
                    "version": number,
                    "state": "draft",
                    "definition": definition.model_dump(mode="json"),
                    "functions": [*functions],
                    "key_id": caller.key_id,
                }
                await connection.execute(insert(AssistantVersion).values(**values))
        except IntegrityError as error:
            raise AssistantRefused("同名助手刚刚登记了一个版本，请重试。", "name") from error
        return await self.get(owner, name, number)

    async def get(self, owner: str | None, name: str, version: int) -> Version:
        """One version; None for the owner is the host's operator.

        Raises:
            UnknownAssistant: there is none.
            AssistantForbidden: it is another's.
        """
        found = await self._read(name, version)
        if found is None:
            raise _unknown(name, version)
        if owner is not None and found.owner != owner:
            raise AssistantForbidden("只能管理本单位登记的助手。", "name")
        return found

    async def move(self, owner: str | None, name: str, version: int, state: State) -> Version:
        """Publish or withdraw a version. Twice changes nothing.

        Raises:
            AssistantRefused: its present state does not allow it.
        """
        found = await self.get(owner, name, version)
        which = and_(AssistantVersion.assistant == name, AssistantVersion.version == version)
        if found.state != state:
            may = which & AssistantVersion.state.in_(NEXT.get(state, ()))
            async with self._engine.begin() as connection:
                done = await connection.execute(
                    update(AssistantVersion).where(may).values(state=state)
                )
            if not done.rowcount:
                told = f"版本 {version} 当前为“{found.state}”，不能改为“{state}”。"
                raise AssistantRefused(told, "state")
        return await self.get(owner, name, version)

    async def share(self, owner: str | None, name: str, share: Share) -> None:
        """Let a tenant use an assistant, or change how much of it."""
        await self._must_own(owner, name)
        row = {"assistant": name, "tenant": share.tenant, "quota": dict(share.quota)}
        async with self._engine.begin() as connection:
            await connection.execute(delete(AssistantShare).where(_shared(name, share.tenant)))
            await connection.execute(insert(AssistantShare).values(**row))

    async def unshare(self, owner: str | None, name: str, tenant: str) -> None:
        """Let a tenant use it no more. Twice changes nothing."""
        await self._must_own(owner, name)
        async with self._engine.begin() as connection:
            await connection.execute(delete(AssistantShare).where(_shared(name, tenant)))

    async def shares(self, name: str) -> list[Share]:
        """With whom an assistant is shared."""
        query = select(AssistantShare.tenant, AssistantShare.quota)
        query = query.where(AssistantShare.assistant == name).order_by(AssistantShare.tenant)
        async with self._reader.connect() as connection:
            return [Share(*row) for row in await connection.execute(query)]

    async def usable(self, caller: Caller, name: str, version: int | None) -> Found | None:
        """The pinned version, or the newest published one, if the caller may use it."""
        if not NAME.fullmatch(name):
            return None
        if version is None:
            newest = select(func.max(AssistantVersion.version)).where(
                AssistantVersion.assistant == name, AssistantVersion.state == "published"
            )
            async with self._reader.connect() as connection:
                version = await connection.scalar(newest)
        found = await self._read(name, version) if version is not None else None
        if found is None or found.state == "withdrawn":
            return None
        if found.owner == owner_of(caller):
            return Found(found, None)
        if found.state != "published":
            return None
        shares = {share.tenant: share for share in await self.shares(name)}
        # The nearest unit counts: its quota is the one that was meant for the caller.
        near = next((shares[unit] for unit in reversed(caller.tenant_path) if unit in shares), None)
        return Found(found, near) if near else None

    async def versions(self, owner: str | None) -> list[Version]:
        """Every version that the owner registered; None lists everyone's."""
        where = [Assistant.owner == owner] if owner is not None else []
        query = _versions().where(*where)
        query = query.order_by(AssistantVersion.assistant, AssistantVersion.version)
        async with self._reader.connect() as connection:
            return [_version(row) for row in await connection.execute(query)]

    async def open_to(self, caller: Caller) -> list[Version]:
        """The newest published version of each assistant that the caller may use."""
        shared = select(AssistantShare.assistant).where(
            AssistantShare.tenant.in_(caller.tenant_path)
        )
        mine = (Assistant.owner == owner_of(caller)) | Assistant.name.in_(shared)
        query = _versions().where(AssistantVersion.state == "published", mine)
        async with self._reader.connect() as connection:
            rows = await connection.execute(query.order_by(AssistantVersion.version))
            newest = {row.assistant: _version(row) for row in rows}
        return [newest[name] for name in sorted(newest)]

    async def _next(self, connection: AsyncConnection, caller: Caller, name: str) -> int:
        owner = owner_of(caller)
        known = await connection.scalar(select(Assistant.owner).where(Assistant.name == name))
        if known is None:
            mine = select(func.count()).select_from(Assistant).where(Assistant.owner == owner)
            if (await connection.scalar(mine) or 0) >= MAX_ASSISTANTS:
                raise AssistantRefused(f"每个单位最多登记 {MAX_ASSISTANTS} 个助手。", "name")
            row = {"name": name, "owner": owner, "tenant": caller.tenant_id}
            await connection.execute(
                insert(Assistant).values(**row, key_id=caller.key_id, created=now())
            )
            return 1
        if known != owner:
            raise AssistantForbidden(f"名称“{name}”已由其他单位使用，请换一个。", "name")
        last = select(func.max(AssistantVersion.version)).where(AssistantVersion.assistant == name)
        number = int(await connection.scalar(last) or 0) + 1
        if number > MAX_VERSIONS:
            raise AssistantRefused(f"一个助手最多 {MAX_VERSIONS} 个版本。", "name")
        return number

    async def _must_own(self, owner: str | None, name: str) -> None:
        async with self._reader.connect() as connection:
            known = await connection.scalar(select(Assistant.owner).where(Assistant.name == name))
        if known is None:
            raise _unknown(name, None)
        if owner is not None and known != owner:
            raise AssistantForbidden("只能管理本单位登记的助手。", "name")

    async def _read(self, name: str, version: int) -> Version | None:
        if not NAME.fullmatch(name):
            return None
        query = _versions().where(Assistant.name == name, AssistantVersion.version == version)
        async with self._reader.connect() as connection:
            row = (await connection.execute(query)).first()
        return _version(row) if row else None


def _versions() -> Any:
    owner = (Assistant.owner, Assistant.tenant)
    table = AssistantVersion.__table__
    return select(table, *owner).join(Assistant, Assistant.name == AssistantVersion.assistant)


def _version(row: Any) -> Version:
    return Version(
        name=row.assistant,
        version=row.version,
        state=row.state,
        owner=row.owner,
        tenant=row.tenant,
        key_id=row.key_id,
        definition=Definition.model_validate(row.definition),
        functions=row.functions,
        created=in_utc(row.created),
    )


def _shared(name: str, tenant: str) -> Any:
    return and_(AssistantShare.assistant == name, AssistantShare.tenant == tenant)


def _unknown(name: str, version: int | None) -> UnknownAssistant:
    at = f"@{version}" if version is not None else ""
    return UnknownAssistant(f"没有名为“{name[:60]}{at}”的助手，请检查名称和版本。", "name")
