"""Prometheus figures of one gateway, in a registry of its own. No label is free text.

Names follow OpenTelemetry's for generative models where it has one (time to first token, time per
output token, request duration; https://opentelemetry.io/docs/specs/semconv/gen-ai/), else say
what they count. Children of labelled figures are kept by their labels: looking one up takes a
dictionary, not the library's lock.
"""

import time
from collections.abc import Callable, Iterable
from functools import lru_cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from zhengwu.gateway.governed.asked import Passage
from zhengwu.gateway.governed.ending import End
from zhengwu.gateway.governed.ports import Spent
from zhengwu.gateway.metering.energy import Burden
from zhengwu.gateway.telemetry.states import State, States

SECONDS = (0.005, 0.02, 0.05, 0.1, 0.3, 0.5, 1, 2.5, 6, 15, 30, 60, 180)
GAPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)
MOST_LABELS = 4096


class Metrics:
    """Counts requests, answers, tokens and open streams."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._requests = self._counter(
            "zhengwu_requests", "Requests by route, method, status.", "route", "method", "status"
        )
        self._seconds = self._histogram(
            "zhengwu_request_seconds", "From the first byte in to the last out.", SECONDS, "route"
        )
        self._answers = self._counter("zhengwu_answers", "Citizens' questions by end.", "status")
        self._model_requests = self._counter(
            "zhengwu_model_requests",
            "Requests to models by how they ended; `code` is empty where nothing went wrong.",
            "model",
            "outcome",
            "code",
        )
        self._grades = self._counter("zhengwu_grades", "Requests to models by grade.", "grade")
        self._limits = self._counter("zhengwu_limits_reached", "Refused by a limit.", "kind")
        self._tokens = self._counter("zhengwu_tokens", "Tokens charged.", "model", "direction")
        self._cost = self._counter("zhengwu_cost_yuan", "Money charged.", "model")
        self._energy = self._counter("zhengwu_energy_wh", "Electricity, estimated.", "upstream")
        self._co2e = self._counter("zhengwu_co2e_grams", "CO2e, estimated.", "upstream")
        self._attempts = self._counter(
            "zhengwu_upstream_attempts", "Tries at upstreams by outcome.", "upstream", "outcome"
        )
        self._queue = self._histogram(
            "zhengwu_queue_seconds", "Waiting for a place at an upstream.", SECONDS, "upstream"
        )
        self._duration = self._histogram(
            "gen_ai_server_request_duration_seconds",
            "From the request to the end of its answer.",
            SECONDS,
            "model",
            "outcome",
        )
        self._first = self._histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "From the request to the first piece of its answer.",
            SECONDS,
            "model",
        )
        self._between = self._histogram(
            "gen_ai_server_time_per_output_token_seconds",
            "Between two pieces of a stream.",
            GAPS,
            "model",
        )
        self._streams = Gauge(
            "zhengwu_open_streams", "Streams being sent now.", registry=self._registry
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One request has ended."""
        self._requests(route, method, str(status)).inc()
        self._seconds(route).observe(seconds)

    def answer(self, status: str) -> None:
        """One question has ended; `left` and `cut` stand beside the path's own statuses."""
        self._answers(status).inc()

    def stream(self, opened: int) -> None:
        """A stream opened (1) or closed (-1)."""
        self._streams.inc(opened)

    def between(self, model: str) -> Callable[[float], None]:
        """What is told the seconds between two pieces of a stream."""
        return self._between(model).observe

    def limit_reached(self, kind: str) -> None:
        """A limit of this kind had no room."""
        self._limits(kind).inc()

    def ended(self, passage: Passage, end: End, spent: Spent) -> None:
        """A request to a model has ended."""
        name = passage.name
        self._model_requests(name, end.outcome, end.code).inc()
        self._grades(str(passage.grade)).inc()
        self._duration(name, end.outcome).observe(time.perf_counter() - passage.began)
        if spent.input_tokens:
            self._tokens(name, "input").inc(spent.input_tokens)
        if spent.output_tokens:
            self._tokens(name, "output").inc(spent.output_tokens)
        if spent.cost:
            self._cost(name).inc(spent.cost / 1e6)
        if passage.meter.first_s is not None:
            self._first(name).observe(passage.meter.first_s)
        for attempt in passage.attempts.all:
            self._attempts(attempt.upstream, attempt.outcome).inc()
            self._queue(attempt.upstream).observe(attempt.queued_ms / 1000)

    def burden(self, upstream: str, burden: Burden) -> None:
        """What a request took of electricity, estimated."""
        self._energy(upstream).inc(burden.energy_wh)
        self._co2e(upstream).inc(burden.co2e_g)

    def watch(self, states: Iterable[State]) -> None:
        """Show these states, read whenever the figures are asked for."""
        self._registry.register(States(states))

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, told: str, *labels: str) -> Callable[..., Counter]:
        return lru_cache(MOST_LABELS)(Counter(name, told, labels, registry=self._registry).labels)

    def _histogram(
        self, name: str, told: str, buckets: tuple[float, ...], *labels: str
    ) -> Callable[..., Histogram]:
        made = Histogram(name, told, labels, buckets=buckets, registry=self._registry)
        return lru_cache(MOST_LABELS)(made.labels)
