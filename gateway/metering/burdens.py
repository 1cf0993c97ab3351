"""The burden of a request by the name of the upstream that answered it."""

from zhengwu.gateway.metering.energy import Burden, Factors, estimate, load_factors
from zhengwu.models.catalogue import Catalogue


class Burdens:
    """Estimates by upstreams' names, which are names of cards."""

    def __init__(self, catalogue: Catalogue, factors: Factors | None = None) -> None:
        self._cards = {card.name: card for card in catalogue.all()}
        self._factors = factors or load_factors()

    def of(self, upstream: str, tokens_in: int, tokens_out: int, seconds: float) -> Burden:
        """What a request took; nothing for an upstream that has no card."""
        card = self._cards.get(upstream)
        if card is None:
            return Burden()
        return estimate(card, tokens_in, tokens_out, seconds, self._factors)
