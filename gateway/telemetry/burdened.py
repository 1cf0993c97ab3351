"""Adds the estimate of energy and emissions to every outcome. Wraps `Trail`; keeps nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from zhengwu.gateway.governed.ports import Intent, Outcome, Trail
from zhengwu.gateway.metering.burdens import Burdens
from zhengwu.gateway.metering.energy import Burden


@dataclass(frozen=True)
class BurdenedTrail:
    """`trail` with estimates; `told` hears of each by the upstream's name."""

    trail: Trail
    burdens: Burdens
    told: Callable[[str, Burden], None]

    def intend(self, intent: Intent) -> None:
        """As `Trail.intend`."""
        self.trail.intend(intent)

    def complete(self, outcome: Outcome) -> None:
        """As `Trail.complete`."""
        spent = outcome.spent
        if spent.input_tokens or spent.output_tokens:
            burden = self.burdens.of(
                outcome.upstream,
                spent.input_tokens,
                spent.output_tokens,
                outcome.total_ms / 1000,
            )
            self.told(outcome.upstream, burden)
            outcome = replace(outcome, energy_wh=burden.energy_wh, co2e_g=burden.co2e_g)
        self.trail.complete(outcome)
