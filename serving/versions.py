"""The history of what was deployed: which version a spec is, and where a rollback goes.

Knows the table; knows nothing of Ray, files or signals.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from zhengwu.db.tables import PoolVersion
from zhengwu.serving.errors import SpecError
from zhengwu.serving.pool_state import read_state
from zhengwu.serving.spec import DeploymentSpec, PoolSpec

PROFILE, OPERATOR = "profile", "operator"
ASKED, LIVE, RETIRED, REFUSED = "asked", "live", "retired", "refused"


class Versions:
    """The versions of every model of one pool."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def number(self, spec: DeploymentSpec, origin: str) -> DeploymentSpec:
        """`spec` under its number: the live one if nothing but numbers changed, else a new one."""
        async with AsyncSession(self._engine) as session, session.begin():
            there = await _same(session, spec)
            if there is not None:
                numbered = spec.model_copy(update={"version": there.version})
                if there.state == ASKED:
                    there.spec, there.origin = numbered.model_dump(mode="json"), origin
                return numbered
            newest = select(func.max(PoolVersion.version)).where(PoolVersion.model == spec.model)
            number = (await session.scalar(newest) or 0) + 1
            numbered = spec.model_copy(update={"version": number})
            session.add(
                PoolVersion(
                    model=spec.model,
                    version=number,
                    code=spec.code,
                    spec=numbered.model_dump(mode="json"),
                    origin=origin,
                    state=ASKED,
                )
            )
            return numbered

    async def settle(self, spec: DeploymentSpec, origin: str, refused: str | None = None) -> None:
        """Write down what became of a version: live, the one before it retired; or refused.

        Numbers that were refused leave the version, and its numbers, as they were in service.
        """
        async with AsyncSession(self._engine) as session, session.begin():
            row = await _row(session, spec)
            if row is None:
                return
            if refused is None:
                await _go_live(session, row)
                row.spec, row.origin, row.message = spec.model_dump(mode="json"), origin, ""
            elif row.state == ASKED:
                row.state, row.message = REFUSED, refused

    async def confirm(self, spec: DeploymentSpec) -> None:
        """A version that was asked for is in service; nothing else is changed by this."""
        async with AsyncSession(self._engine) as session, session.begin():
            row = await _row(session, spec)
            if row is not None and row.state == ASKED:
                await _go_live(session, row)

    async def before(self, model: str, version: int | None = None) -> DeploymentSpec:
        """What a rollback of `model` goes to: the newest version that was in service before.

        Raises:
            SpecError: there is none, or `version` never was in service; names those that were.
        """
        async with AsyncSession(self._engine) as session:
            live = await _live(session, model)
            been = (PoolVersion.model == model, PoolVersion.state == RETIRED)
            rows = (
                await session.scalars(
                    select(PoolVersion).where(*been).order_by(PoolVersion.version.desc())
                )
            ).all()
        for row in rows:
            below = live is None or row.version < live.version
            if (version is None and below) or row.version == version:
                return DeploymentSpec.model_validate({**row.spec, "drained": False})
        known = "、".join(str(row.version) for row in rows) or "无"
        raise SpecError(
            f"模型 {model} 没有可回退的{f'版本 {version}' if version else '更早版本'}"
            f"（曾在线的版本：{known}）。用 zhengwu pool history {model} 查看。"
        )

    async def history(self, model: str | None = None) -> Sequence[PoolVersion]:
        """Every version, the newest first."""
        query = select(PoolVersion).order_by(PoolVersion.model, PoolVersion.version.desc())
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            rows = await session.scalars(
                query.where(PoolVersion.model == model) if model else query
            )
            return rows.all()

    async def kept(self) -> tuple[DeploymentSpec, ...]:
        """What operators deployed and is live: a restart does not go back behind it."""
        query = select(PoolVersion).where(PoolVersion.state == LIVE, PoolVersion.origin == OPERATOR)
        async with AsyncSession(self._engine) as session:
            rows = await session.scalars(query.order_by(PoolVersion.model))
            return tuple(DeploymentSpec.model_validate(row.spec) for row in rows)

    async def forget(self, model: str) -> None:
        """The operator's deployment of `model` gives way to the profile's."""
        async with AsyncSession(self._engine) as session, session.begin():
            await session.execute(
                update(PoolVersion).where(PoolVersion.model == model).values(origin=PROFILE)
            )


async def numbered_spec(versions: Versions, spec_file: Path, spec: PoolSpec) -> PoolSpec:
    """The spec a stack starts with: the profile's, operators' deployments kept, all numbered."""
    await sync(versions, spec_file)
    kept = {one.model: one for one in await versions.kept()}
    profile = {one.model: one for one in spec.deployments}
    numbered = [
        kept[model] if model in kept else await versions.number(one, PROFILE)
        for model, one in profile.items()
    ]
    further = [one for model, one in kept.items() if model not in profile]
    return spec.model_copy(update={"deployments": (*numbered, *further)})


async def sync(versions: Versions, spec_file: Path) -> None:
    """Write down as live what the pool said was serving when it last looked."""
    state = read_state(spec_file)
    try:
        spec = PoolSpec.model_validate_json(spec_file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return
    serving = {(d.model, d.version) for d in state.deployments if d.running} if state else set()
    for one in spec.deployments:
        if (one.model, one.version) in serving:
            await versions.confirm(one)  # no more than that: the file may be an old one


async def _row(session: AsyncSession, spec: DeploymentSpec) -> PoolVersion | None:
    return await session.scalar(
        select(PoolVersion).where(
            PoolVersion.model == spec.model, PoolVersion.version == spec.version
        )
    )


async def _go_live(session: AsyncSession, row: PoolVersion) -> None:
    others = update(PoolVersion).where(
        PoolVersion.model == row.model, PoolVersion.state == LIVE, PoolVersion.id != row.id
    )
    await session.execute(others.values(state=RETIRED))
    row.state = LIVE


async def _same(session: AsyncSession, spec: DeploymentSpec) -> PoolVersion | None:
    """The version that is in service, or was asked for last, if it is made of the same."""
    query = select(PoolVersion).where(
        PoolVersion.model == spec.model, PoolVersion.state.in_((LIVE, ASKED))
    )
    row = await session.scalar(query.order_by(PoolVersion.version.desc()).limit(1))
    return row if row is not None and row.code == spec.code else None


async def _live(session: AsyncSession, model: str) -> PoolVersion | None:
    return await session.scalar(
        select(PoolVersion).where(PoolVersion.model == model, PoolVersion.state == LIVE)
    )
