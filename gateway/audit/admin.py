"""Administrative actions as links of the chain, in the transaction of the change they record.

Wraps the trail that keeps them in a table of their own; knows nothing of what they change.
"""

from datetime import datetime
from typing import Generic, Protocol, TypeVar
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from zhengwu.gateway.audit.chain import Chain
from zhengwu.gateway.audit.record import AdminAction, of_action


class Acted(Protocol):
    """What an administrator did; `before` and `after` are digests."""

    @property
    def at(self) -> datetime:
        """When."""
        ...

    @property
    def actor(self) -> str:
        """Who."""
        ...

    @property
    def role(self) -> str:
        """In which role."""
        ...

    @property
    def action(self) -> str:
        """What."""
        ...

    @property
    def target(self) -> str:
        """To what."""
        ...

    @property
    def before(self) -> str:
        """The digest of what was."""
        ...

    @property
    def after(self) -> str:
        """The digest of what is."""
        ...

    @property
    def outcome(self) -> str:
        """`done` or `refused`."""
        ...


A = TypeVar("A", bound=Acted, contravariant=True)
B = TypeVar("B", bound=Acted)


class KeepsActions(Protocol[A]):
    """Where actions are written down as well."""

    async def record(self, session: AsyncSession, action: A) -> None:
        """Write `action` in the transaction of `session`."""
        ...


class ChainedActions(Generic[B]):
    """Keeps actions beneath, and each as a link of the chain: both, or neither."""

    def __init__(self, chain: Chain, beneath: KeepsActions[B]) -> None:
        self._chain = chain
        self._beneath = beneath

    async def record(self, session: AsyncSession, action: B) -> None:
        """Write `action` in the transaction of `session`."""
        await self._beneath.record(session, action)
        entry = of_action(
            AdminAction(
                id=uuid4().hex,
                actor=action.actor,
                role=action.role,
                action=action.action,
                target=action.target,
                at=action.at,
                details={
                    "before": action.before,
                    "after": action.after,
                    "outcome": action.outcome,
                },
            )
        )
        await session.flush()
        await self._chain.append_in(await session.connection(), [entry])
