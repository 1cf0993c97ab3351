"""Prometheus figures of one gateway, in a registry of its own. No label is free text.

Children of labelled figures are kept by their labels: looking one up takes a dictionary, not the
library's lock.
"""

from collections.abc import Callable
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from zhengwu.gateway.governed.asked import Passage
from zhengwu.gateway.governed.ending import End
from zhengwu.gateway.governed.ports import Spent

SECONDS = (0.005, 0.02, 0.05, 0.1, 0.3, 0.5, 1, 2.5, 6, 15, 30, 60, 180)
GAPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)


class Metrics:
    """Counts requests, answers, tokens and open streams."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter(
            "zhengwu_requests",
            "Requests by route, method and status.",
            "route",
            "method",
            "status",
        )
        self._seconds = self._histogram(
            "zhengwu_request_seconds",
            "Time from the first byte in to the last byte out.",
            SECONDS,
            "route",
        )
        self._answers = self._counter(
            "zhengwu_answers", "Citizens' questions by how they ended.", "status"
        )
        self._model_requests = self._counter(
            "zhengwu_model_requests",
            "Requests to models by how they ended; `code` is empty where nothing went wrong.",
            "model",
            "outcome",
            "code",
        )
        self._tokens = self._counter(
            "zhengwu_tokens", "Tokens charged, by direction.", "model", "direction"
        )
        self._first = self._histogram(
            "zhengwu_time_to_first_token_seconds",
            "From the request to the first piece of its answer.",
            SECONDS,
            "model",
        )
        self._between = self._histogram(
            "zhengwu_inter_token_seconds", "Between two pieces of a stream.", GAPS, "model"
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

    def ended(self, passage: Passage, end: End, spent: Spent) -> None:
        """A request to a model has ended."""
        name = passage.name
        self._model_requests(name, end.outcome, end.code).inc()
        if spent.input_tokens:
            self._tokens(name, "input").inc(spent.input_tokens)
        if spent.output_tokens:
            self._tokens(name, "output").inc(spent.output_tokens)
        if passage.meter.first_s is not None:
            self._first(name).observe(passage.meter.first_s)

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, told: str, *labels: str) -> Callable[..., Counter]:
        return lru_cache(4096)(Counter(name, told, labels, registry=self._registry).labels)

    def _histogram(
        self, name: str, told: str, buckets: tuple[float, ...], *labels: str
    ) -> Callable[..., Histogram]:
        made = Histogram(name, told, labels, buckets=buckets, registry=self._registry)
        return lru_cache(4096)(made.labels)
