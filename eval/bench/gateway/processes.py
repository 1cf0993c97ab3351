"""Starts what a bench stands on, each on a core of its choice, and ends it again.

Knows processes, ports and cores; knows nothing of what is measured.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from zhengwu.eval.errors import BenchFailed
from zhengwu.serving.processes import die_with_parent, end

START_S = 120.0
POLL_S = 0.1


@dataclass(frozen=True)
class Started:
    """A process that listens on `port`."""

    name: str
    process: psutil.Process
    port: int

    def memory_mb(self) -> float:
        """Resident memory."""
        return self.process.memory_info().rss / 2**20

    def cpu_s(self) -> float:
        """Processor time used so far."""
        times = self.process.cpu_times()
        return times.user + times.system


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cores() -> tuple[set[int], set[int]]:
    """The core for the server under test, and those for everything around it."""
    mine = sorted(os.sched_getaffinity(0))
    return ({mine[0]}, set(mine[1:])) if len(mine) > 1 else (set(mine), set(mine))


@contextmanager
def started(
    name: str,
    command: Sequence[str],
    port: int,
    on: set[int],
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> Generator[Started]:
    """Start `command`, wait until it listens on `port`, and end it afterwards.

    Raises:
        BenchFailed: it ended before it listened; the message names its log.
    """
    with log.open("wb") as out:
        child = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdout=out,
            stderr=out,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
    process = psutil.Process(child.pid)
    try:
        os.sched_setaffinity(child.pid, on)
        _wait(name, child, port, log)
        yield Started(name, process, port)
    finally:
        end([*process.children(recursive=True), process] if process.is_running() else [], 5.0)
        child.wait()


def run(command: Sequence[str], on: set[int], environment: Mapping[str, str] | None = None) -> str:
    """Run `command` to its end, on these cores if any are given; what it printed.

    Raises:
        BenchFailed: it failed.
    """
    pinned = ["taskset", "-c", ",".join(str(each) for each in sorted(on))] if on else []
    done = subprocess.run(
        [*pinned, *command],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchFailed(f"命令 {' '.join(command[:4])} 失败：{done.stderr.strip()[-2000:]}")
    return done.stdout


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module with this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def _wait(name: str, child: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if child.poll() is not None:
            told = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise BenchFailed(f"{name} 启动失败：\n{told}")
        if time.monotonic() > deadline:
            raise BenchFailed(f"{name} 在 {START_S:.0f} 秒内没有开始监听，请查看 {log}")
        time.sleep(POLL_S)
