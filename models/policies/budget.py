"""How many second tries a route may make: a share of its requests. Knows no upstream.

Without it a fault is multiplied by the tries to get round it.
"""


class RetryBudget:
    """A bucket of tries. Every request puts a share of one in; every further try takes one out."""

    def __init__(self, share: float = 0.2, most: float = 20.0) -> None:
        """The bucket starts full, at `most`."""
        self.share = share
        self.most = most
        self.left = most

    def earn(self) -> None:
        """A request came."""
        self.left = min(self.most, self.left + self.share)

    def spend(self) -> bool:
        """Whether another try may be made; if so it is taken."""
        if self.left < 1.0:
            return False
        self.left -= 1.0
        return True
