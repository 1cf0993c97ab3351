"""Runs the rounds of `zhengwu bench gateway` and makes its figures. Starts nothing itself.

The servers take turns within every round, and medians over the rounds are told: what disturbs the
machine for a while disturbs all of them.
"""

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from zhengwu.eval.bench.gateway.load import Counted, Plan
from zhengwu.eval.bench.gateway.peers import LITELLM_KEY, TOKENS_PER_SECOND, Peers, peers
from zhengwu.eval.bench.gateway.processes import Started, cores, python, run
from zhengwu.eval.bench.gateway.rows import audit_rows
from zhengwu.eval.errors import BenchFailed

Progress = Callable[[str], None]
WARM_UP = 200
MEMORY_WARM_UP = 0.1
"""The share of the requests of a memory run that go before its first reading."""
REFERENCE_SHARE = 0.1
"""How many further streams go past the gateway at the same time."""


@dataclass(frozen=True)
class Options:
    """What to measure. `seconds` and `clients` are of one measurement of one server."""

    seconds: float = 5.0
    clients: int = 32
    rounds: int = 5
    streams: int = 0
    stream_seconds: float = 300.0
    requests: int = 0
    litellm: Path | None = None


def bench(options: Options, progress: Progress) -> dict[str, Any]:
    """Start everything, measure, and give the figures as DESIGN §6 names them.

    Raises:
        BenchFailed: a server did not start, or answers were wrong.
    """
    with tempfile.TemporaryDirectory(prefix="zhengwu-bench-") as folder:
        with peers(Path(folder), options.litellm) as servers:
            bench = _Bench(servers, progress)
            figures = bench.rounds(options)
            if options.streams:
                figures["streams"] = bench.streams(options)
            if options.requests:
                figures["memory"] = bench.memory(options)
            progress("核对审计记录")
            home, environment = servers.home, servers.environment()
            figures["audit_rows"] = audit_rows(home, servers.key, bench.sent, environment)
            return figures | {"options": _told(options)}


class _Bench:
    """One run. Counts what was sent to our gateway, to compare with the audit trail."""

    def __init__(self, servers: Peers, progress: Progress) -> None:
        self._servers = servers
        self._progress = progress
        self._around = cores()[1]
        self._seed = 0
        self.sent = 0

    def rounds(self, options: Options) -> dict[str, Any]:
        """Latency at one client and requests a second at `clients`, of every server in turn."""
        found = self._servers
        servers = [found.upstream, found.bare, found.ours, *([found.litellm] * bool(found.litellm))]
        measured = {server.name: _Server() for server in servers if server}
        for server in servers:
            if server:
                self._load(server, Plan(server.port, requests=WARM_UP))
        for number in range(options.rounds):
            for server in servers:
                if server:
                    self._progress(f"第 {number + 1} / {options.rounds} 轮：{server.name}")
                    measured[server.name].take(server, self._both(server, options))
        return _figures({name: each.figures() for name, each in measured.items()})

    def streams(self, options: Options) -> dict[str, Any]:
        """Many streams at once through the gateway; a few go past it, as what to compare with."""
        found = self._servers
        tokens = int(options.stream_seconds * TOKENS_PER_SECOND)
        reference = max(1, int(options.streams * REFERENCE_SHARE))
        plan = Plan(0, streams=options.streams, tokens=tokens)
        plan = replace(plan, reference=reference, reference_port=found.upstream.port)
        self._progress(f"{options.streams} 路流式，{options.stream_seconds:.0f} 秒")
        memory, cpu = found.ours.memory_mb(), found.ours.cpu_s()
        counted = self._load(found.ours, plan, strict=False)
        return {
            "n": counted.sent,
            "seconds": round(counted.seconds, 1),
            "tokens_per_stream": tokens,
            "dropped": counted.dropped,
            "first_failure": counted.first_failure,
            "gap_p50_ms": counted.p50_ms,
            "gap_p99_ms": counted.p99_ms,
            "direct_gap_p99_ms": counted.reference_p99_ms,
            "added_gap_p99_ms": round(counted.p99_ms - counted.reference_p99_ms, 3),
            "core_busy": round((found.ours.cpu_s() - cpu) / counted.seconds, 2),
            "memory_mb": [round(memory, 1), round(found.ours.memory_mb(), 1)],
        }

    def memory(self, options: Options) -> dict[str, Any]:
        """Resident memory of our gateway before and after many requests."""
        ours = self._servers.ours
        plan = Plan(ours.port, clients=options.clients)
        self._load(ours, replace(plan, requests=int(options.requests * MEMORY_WARM_UP)))
        before = ours.memory_mb()
        self._progress(f"{options.requests} 次请求，观察内存")
        counted = self._load(ours, replace(plan, requests=options.requests))
        after = ours.memory_mb()
        return {
            "requests": counted.answered,
            "before_mb": round(before, 1),
            "after_mb": round(after, 1),
            "growth": round(after / before - 1, 4),
        }

    def _both(self, server: Started, options: Options) -> "tuple[Counted, Counted, float]":
        plan = Plan(server.port, seconds=options.seconds)
        one = self._load(server, plan)
        before = server.cpu_s()
        many = self._load(server, replace(plan, clients=options.clients))
        return one, many, (server.cpu_s() - before) / many.answered * 1000

    def _load(self, server: Started, plan: Plan, strict: bool = True) -> Counted:
        """Run the load generator once, with bodies that no run before had."""
        self._seed += 1
        ours = server is self._servers.ours
        key = self._servers.key.secret if ours else LITELLM_KEY
        plan = replace(plan, port=server.port, key=key, seed=self._seed)
        command = python("zhengwu.eval.bench.gateway.load", orjson.dumps(asdict(plan)).decode())
        counted = Counted(**orjson.loads(run(command, self._around)))
        self.sent += counted.sent * ours
        if strict and (counted.failed or not counted.answered):
            raise BenchFailed(
                f"{server.name}：{counted.sent} 次请求中 {counted.failed} 次失败，"
                f"第一个是：{counted.first_failure}"
            )
        return counted


class _Server:
    """What was measured of one server over the rounds."""

    def __init__(self) -> None:
        self._taken: list[dict[str, float]] = []
        self._memory_mb = 0.0

    def take(self, server: Started, measured: "tuple[Counted, Counted, float]") -> None:
        """Keep one round."""
        one, many, cpu_ms = measured
        self._memory_mb = server.memory_mb()
        self._taken.append(
            {
                "p50_ms": one.p50_ms,
                "p95_ms": one.p95_ms,
                "p99_ms": one.p99_ms,
                "requests_per_s": many.answered / many.seconds,
                "loaded_p50_ms": many.p50_ms,
                "loaded_p99_ms": many.p99_ms,
                "cpu_ms_per_request": cpu_ms,
            }
        )

    def figures(self) -> dict[str, float]:
        """The medians over the rounds."""
        names = self._taken[0].keys()
        medians = {name: round(median(t[name] for t in self._taken), 3) for name in names}
        return medians | {"memory_mb": round(self._memory_mb, 1)}


def _figures(servers: dict[str, dict[str, float]]) -> dict[str, Any]:
    """The figures of all servers and what follows from them.

    The ratios of processor time say the same on a machine that others keep busy, where requests a
    second tell more of the others.
    """
    direct, bare, ours = servers["upstream"], servers["bare"], servers["ours"]
    litellm = servers.get("litellm")
    return {
        "direct": direct,
        "bare": bare,
        "ours": ours,
        "litellm": litellm,
        "added_p50_ms": round(ours["p50_ms"] - bare["p50_ms"], 3),
        "added_p99_ms": round(ours["p99_ms"] - bare["p99_ms"], 3),
        "added_to_direct_p50_ms": round(ours["p50_ms"] - direct["p50_ms"], 3),
        "ratio_to_bare": _ratio(ours, bare, "requests_per_s"),
        "ratio_to_litellm": _ratio(ours, litellm, "requests_per_s") if litellm else None,
        "cpu_ratio_to_bare": _ratio(bare, ours, "cpu_ms_per_request"),
        "cpu_ratio_to_litellm": _ratio(litellm, ours, "cpu_ms_per_request") if litellm else None,
        "streams": None,
        "memory": None,
        "audit_rows": None,
    }


def _ratio(above: dict[str, float], below: dict[str, float], name: str) -> float:
    return round(above[name] / below[name], 3)


def _told(options: Options) -> dict[str, Any]:
    return {**asdict(options), "litellm": options.litellm is not None}
