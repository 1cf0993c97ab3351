"""What stands where the audit trail will. Goes away with its arrival in `parts.py`."""

from zhengwu.gateway.governed.ports import Intent, Outcome


class NoTrail:
    """A trail that keeps nothing."""

    def intend(self, intent: Intent) -> None:
        """Keep nothing."""

    def complete(self, outcome: Outcome) -> None:
        """Keep nothing."""
