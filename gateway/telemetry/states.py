"""Figures that are read when Prometheus asks: what waits, what rests, how full the pool is.

Knows names of figures and how to ask for them; whoever wires them says whom.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Values = Mapping[str, float]
"""By the name of an upstream, or of one fixed word."""


@dataclass(frozen=True)
class State:
    """One gauge. `label` is empty where there is one value only, under the name ``."""

    name: str
    told: str
    label: str
    read: Callable[[], Values]


BREAKERS: Mapping[str, float] = {"closed": 0.0, "half_open": 1.0, "open": 2.0}


def breaker_state(states: Callable[[], Mapping[str, str]]) -> State:
    """The breaker of each upstream: 0 closed, 1 half open, 2 open."""
    return State(
        "zhengwu_breaker_state",
        "Breaker of an upstream: 0 closed, 1 half open, 2 open.",
        "upstream",
        lambda: {name: BREAKERS[state] for name, state in states().items()},
    )


def waiting_calls(waiting: Callable[[], Values]) -> State:
    """Calls in line for each upstream."""
    return State("zhengwu_upstream_waiting", "Calls that wait for a place.", "upstream", waiting)


def occupied_slots(occupied: Callable[[], Values]) -> State:
    """Calls at each upstream."""
    return State("zhengwu_upstream_calls", "Calls that an upstream works on.", "upstream", occupied)


def slots(most: Callable[[], Values]) -> State:
    """How many calls each upstream takes at once."""
    return State("zhengwu_upstream_slots", "Calls an upstream takes at once.", "upstream", most)


def audit_waiting(waiting: Callable[[], float]) -> State:
    """Audit records that are in the journal and not in the database."""
    return State(
        "zhengwu_audit_backlog_bytes",
        "Journal that is not in the database yet, in bytes.",
        "",
        lambda: {"": waiting()},
    )


def audit_failing(failing: Callable[[], bool]) -> State:
    """Whether audit records cannot be moved to the database at present."""
    return State(
        "zhengwu_audit_failing",
        "1 while audit records cannot be moved to the database.",
        "",
        lambda: {"": float(failing())},
    )


class States(Collector):
    """All states, as one collector of a registry."""

    def __init__(self, states: Iterable[State]) -> None:
        self._states = tuple(states)

    def collect(self) -> Iterable[Metric]:
        """Read every state now."""
        for state in self._states:
            labels = (state.label,) if state.label else ()
            family = GaugeMetricFamily(state.name, state.told, labels=labels)
            for name, value in state.read().items():
                family.add_metric((name,) if state.label else (), value)
            yield family
