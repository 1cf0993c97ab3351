"""Puts the router and its policies together, in the one order they are used in."""

from collections.abc import Mapping
from dataclasses import dataclass

from zhengwu.models.adapt import Adapted
from zhengwu.models.begin import Begun
from zhengwu.models.policies.breaker import Breakers
from zhengwu.models.policies.fair_queue import Queued
from zhengwu.models.policies.fallback import Fallbacks
from zhengwu.models.policies.hedge import Hedged
from zhengwu.models.policies.load import Loads, Weighed
from zhengwu.models.route import Route
from zhengwu.models.router import Router
from zhengwu.models.upstream import Opens, Routes


@dataclass(frozen=True)
class Routing:
    """What opens calls by name, and what an operator wants to see of it."""

    routes: Routes
    loads: Loads
    breakers: Breakers
    queue: Queued


def assemble(routes: Mapping[str, Route], opens: Opens, loads: Loads | None = None) -> Routing:
    """The router over `routes` with every policy.

    A call goes: fallback → hedge → router (order, budget) → load → queue → breaker → connection.

    Args:
        routes: by name.
        opens: connects; `Egress`.
        loads: what the routes' orders look at, where they were given one.
    """
    loads = loads or Loads()
    breakers = Breakers(Begun(Adapted(opens)))
    queue = Queued(breakers)
    router = Router.over(routes, Weighed(queue, loads))
    return Routing(Fallbacks(Hedged(router, routes), routes), loads, breakers, queue)
