"""From a route's name to an upstream that answers, failing over before the answer has begun.

Knows names, order and what counts as a failure; connecting and the data grade are `egress.py`'s.
Every other policy wraps `Opens` (for one upstream) or `Routes` (for a name); none is a flag here.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from time import monotonic
from types import MappingProxyType
from typing import Self

from zhengwu.models.adapt import Adapted
from zhengwu.models.attempts import LEFT, OK, Attempts, Trial
from zhengwu.models.begin import Begun, StartedReply
from zhengwu.models.errors import (
    ContentRefused,
    ContextOverflow,
    DeadlinePassed,
    EgressRefused,
    ModelError,
    NoUpstream,
    UpstreamError,
)
from zhengwu.models.route import Route, route_of
from zhengwu.models.upstream import Call, Opens, Patience, Reply, Upstream
from zhengwu.models.verdict import reason

Failures = list[tuple[Upstream, ModelError]]
FINAL = (DeadlinePassed, ContentRefused)
"""No other upstream would change it, or should."""
ROOMY = 1 << 40


class Router:
    """Tries a route's upstreams in order, each at most once for a request."""

    def __init__(self, routes: Mapping[str, Route | Sequence[Upstream]], opens: Opens) -> None:
        """Route over `opens`, which connects, without further policies.

        Args:
            routes: name → route, or upstreams in order. A repeated upstream counts once.
            opens: connects.
        """
        self._routes = MappingProxyType({name: route_of(given) for name, given in routes.items()})
        self._opens: Opens = Begun(Adapted(opens))

    @classmethod
    def over(cls, routes: Mapping[str, Route], begun: Opens) -> Self:
        """Route over `begun`: policies folded around `Begun(Adapted(…))`."""
        router = cls(routes, begun)
        router._opens = begun
        return router

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the routes."""
        return tuple(self._routes)

    @asynccontextmanager
    async def open(self, alias: str, call: Call) -> AsyncGenerator[Reply]:
        """Open `call` at the first upstream that answers; leaving the context closes it.

        Once the answer has begun there is no going back: a later break is the caller's
        `UpstreamCut`. Every try is written down in `call.attempts`; an upstream that stands
        there already is not tried again.

        Raises:
            NoUpstream: there is no such route, or several upstreams failed (each is listed).
            EgressRefused: the grade may go to none of them.
            ContextOverflow: the request is too long for all of them.
            DeadlinePassed: the call's time is up.
            UpstreamError: the only upstream failed.
        """
        route = self._route(alias)
        route.budget.earn()
        failures: Failures = []
        left = _candidates(route, call)
        while left:
            upstream, left = left[0], left[1:]
            if call.attempts.has(upstream):
                continue
            _must_be_in_time(call)
            if call.attempts.sent and not route.budget.spend():
                call.attempts.skip(upstream, "retry_budget", "重试额度已用完")
                break
            patience = route.waits.patience(call, bool(left))
            async with AsyncExitStack() as stack:
                trial = call.attempts.begin(upstream)
                reply = await self._try(upstream, call, patience, trial, stack, failures)
                if reply is not None:
                    with _Ends(trial, reply, call.attempts):
                        yield reply
                    return
            left = _roomier(left, upstream, failures)
        raise _failure(alias, failures)

    async def _try(
        self,
        upstream: Upstream,
        call: Call,
        patience: Patience,
        trial: Trial,
        stack: AsyncExitStack,
        failures: Failures,
    ) -> Reply | None:
        patient = call if patience == call.patience else replace(call, patience=patience)
        try:
            return await stack.enter_async_context(self._opens.open(upstream, patient))
        except (UpstreamError, EgressRefused) as error:
            trial.end(error.code, reason(error))
            if isinstance(error, FINAL):
                raise
            failures.append((upstream, error))
            return None
        except BaseException as error:
            trial.end(LEFT, type(error).__name__)
            raise

    def _route(self, alias: str) -> Route:
        found = self._routes.get(alias)
        if not found or not found.upstreams:
            raise NoUpstream(
                f"没有可用的模型“{alias}”，可用的有：{'、'.join(self._routes) or '（无）'}"
            )
        return found


class _Ends:
    """Writes down how an answer ended that had begun, whatever its reader did with it."""

    def __init__(self, trial: Trial, reply: Reply, attempts: Attempts) -> None:
        self._trial, self._reply = trial, reply
        attempts.answered = trial.upstream

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        reply = self._reply
        broke = (reply.failure if isinstance(reply, StartedReply) else None) or error
        if isinstance(broke, ModelError):
            self._trial.end(broke.code, reason(broke))
        elif reply.status >= 400:
            self._trial.end("upstream_failed", f"HTTP {reply.status}")
        elif isinstance(reply, StartedReply) and not reply.finished:
            self._trial.end(LEFT)
        else:
            self._trial.end(OK)


def _candidates(route: Route, call: Call) -> Sequence[Upstream]:
    """The upstreams in order; those too small by the estimate last, or not at all.

    An estimate is not a measurement: it rules out only where there is somewhere else to go.
    """
    ups = route.upstreams
    if len(ups) > 1:
        ups = route.orders.order(ups, call)
    small = [u for u in ups if (u.context_tokens or ROOMY) < call.tokens]
    if not small:
        return ups
    fitting = [u for u in ups if u not in small]
    if fitting or route.overflow:
        for upstream in small:
            known = f"估算 {call.tokens} 个词元，上下文 {upstream.context_tokens}"
            call.attempts.skip(upstream, ContextOverflow.code, known)
        if not fitting:
            raise ContextOverflow(f"请求约 {call.tokens} 个词元，超出模型的上下文长度，请缩短", 400)
        return fitting
    return sorted(small, key=lambda each: -(each.context_tokens or ROOMY))


def _roomier(
    left: Sequence[Upstream], upstream: Upstream, failures: Failures
) -> Sequence[Upstream]:
    """After an overflow only upstreams with a larger context are left."""
    if not failures or not isinstance(failures[-1][1], ContextOverflow):
        return left
    had = upstream.context_tokens or 0
    return [each for each in left if (each.context_tokens or ROOMY) > had]


def _must_be_in_time(call: Call) -> None:
    if call.deadline is not None and monotonic() >= call.deadline:
        raise DeadlinePassed("请求已超过时限，没有再发给模型")


def _failure(alias: str, failures: Failures) -> ModelError:
    for _, error in failures:
        if isinstance(error, ContextOverflow):
            return error
    if len(failures) == 1:
        return failures[0][1]
    listed = "；".join(f"{upstream.name}：{error}" for upstream, error in failures)
    if failures and all(isinstance(error, EgressRefused) for _, error in failures):
        return EgressRefused(f"模型“{alias}”没有允许处理该分级数据的上游。{listed}")
    none = NoUpstream(f"模型“{alias}”的所有上游都不可用。{listed}")
    waits = [getattr(error, "wait_s", None) for _, error in failures]
    none.wait_s = min((wait for wait in waits if wait is not None), default=None)
    return none
