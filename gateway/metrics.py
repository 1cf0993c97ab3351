"""Prometheus figures of one gateway, in a registry of its own. No label is free text."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.02, 0.05, 0.1, 0.3, 0.5, 1, 2.5, 6, 15, 30, 60, 180)


class Metrics:
    """Counts requests, answers and open streams."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "zhengwu_requests",
            "Requests by route, method and status.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "zhengwu_request_seconds",
            "Time from the first byte in to the last byte out.",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._answers = Counter(
            "zhengwu_answers",
            "Citizens' questions by how they ended.",
            ("status",),
            registry=self._registry,
        )
        self._streams = Gauge(
            "zhengwu_open_streams", "Streams being sent now.", registry=self._registry
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One request has ended."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def answer(self, status: str) -> None:
        """One question has ended; `left` and `cut` stand beside the path's own statuses."""
        self._answers.labels(status).inc()

    def stream(self, opened: int) -> None:
        """A stream opened (1) or closed (-1)."""
        self._streams.inc(opened)

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)
