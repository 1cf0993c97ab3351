"""What stands where limits and the audit trail will: nothing is limited, nothing is recorded.

Goes away with their arrival in `parts.py`.
"""

from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.ports import Ask, Intent, Outcome, Spent


class NoLimits:
    """Limits of nobody."""

    async def reserve(self, caller: Caller, ask: Ask) -> "NoLimits":
        """Hold nothing."""
        return self

    async def settle(self, spent: Spent) -> None:
        """Give nothing back."""


class NoTrail:
    """A trail that keeps nothing."""

    def intend(self, intent: Intent) -> None:
        """Keep nothing."""

    def complete(self, outcome: Outcome) -> None:
        """Keep nothing."""
