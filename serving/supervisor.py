"""The supervisor of a stack: starts its children, keeps them, and leaves nothing behind.

Knows commands, ports and files; knows no engine and no gateway. One thread, one loop.
"""

import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import psutil

from zhengwu.serving.children import Child
from zhengwu.serving.errors import StackRunning, StackStopped
from zhengwu.serving.events import Kind, OnEvent, Phase, StackEvent, StackState, write_state
from zhengwu.serving.keeper import Keeper, Say
from zhengwu.serving.logs import ChildLog
from zhengwu.serving.ports import Port, check_ports
from zhengwu.serving.processes import (
    MARK,
    adopt_orphans,
    end,
    end_descendants,
    marked,
    reap_orphans,
)
from zhengwu.serving.warden import start_warden

ROUND_S = 0.1


class Supervisor:
    """One stack. Use once."""

    def __init__(
        self,
        *,
        run_dir: Path,
        log_dir: Path,
        children: Sequence[Child],
        ports: Sequence[Port],
        environment: Mapping[str, str],
        url: str,
        on_event: OnEvent,
    ) -> None:
        """Nothing is started yet. `environment` is added to this process's own."""
        self._run_dir = run_dir
        self._ports = ports
        self._on_event = on_event
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._insist = False
        self._warden: subprocess.Popen[bytes] | None = None
        self._state = StackState(
            pid=os.getpid(),
            phase="starting",
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            url=url,
            ports={port.variable: port.number for port in ports},
        )
        merged = {**os.environ, **environment, MARK: str(run_dir)}
        self._keepers = [
            Keeper(child, merged, ChildLog(log_dir / f"{child.name}.log"), self._sayer(child.name))
            for child in children
        ]

    def run(self) -> None:
        """Start everything and keep it until SIGINT, SIGTERM or a failure to start.

        Raises:
            StackRunning: another supervisor holds the lock.
            PortTaken: a port is not free.
            StackStopped: told to stop before everything was ready.
            StackError: a child would not start.
        """
        self._run_dir.mkdir(parents=True, exist_ok=True)
        with hold_lock(self._run_dir), self._signals():
            sweep(self._run_dir)
            check_ports(self._ports)
            adopt_orphans()
            self._warden = start_warden(self._run_dir)
            try:
                self._start()
                self._keep()
            finally:
                self._end()
                self._warden.wait()

    def _start(self) -> None:
        for keeper in self._keepers:
            self._say("starting", f"启动 {keeper.child.name}", keeper.child.name)
            keeper.start()
        self._write("starting")

    def _keep(self) -> None:
        up, rotated = False, time.monotonic()
        seen: object = None
        while not self._stop.wait(ROUND_S):
            exits = sum(keeper.exits for keeper in self._keepers)
            for keeper in self._keepers:
                keeper.look()
                if self._stop.is_set():
                    break
            if exits != sum(keeper.exits for keeper in self._keepers):
                self._end_orphans()
            if not up and all(keeper.ready for keeper in self._keepers):
                up = True
                self._say("up", f"全部就绪：{self._state.url}")
            if seen != (now := [(up, keeper.state) for keeper in self._keepers]):
                seen = now
                self._write("up" if up else "starting")
            reap_orphans()
            if time.monotonic() - rotated > 10:
                rotated = time.monotonic()
                for keeper in self._keepers:
                    keeper.log.rotate()
        if not up:
            raise StackStopped("启动被中断，已停止全部进程。")

    def _end(self) -> None:
        self._say("stopping", "正在停止")
        self._write("stopping")
        for keeper in self._keepers:
            if not self._insist:
                keeper.stop()
        end_descendants()
        for keeper in self._keepers:
            keeper.kill()
        (self._run_dir / "stack.json").unlink(missing_ok=True)
        self._say("stopped", "已停止")

    def _end_orphans(self) -> None:
        ours = {keeper.state.pid for keeper in self._keepers}
        if self._warden is not None:
            ours.add(self._warden.pid)
        end([child for child in psutil.Process().children() if child.pid not in ours], 0.0)

    def _write(self, phase: Phase) -> None:
        children = {keeper.child.name: keeper.state for keeper in self._keepers}
        self._state = self._state.model_copy(update={"phase": phase, "children": children})
        write_state(self._run_dir / "stack.json", self._state)

    def _say(self, kind: Kind, message: str, child: str | None = None) -> None:
        seconds = time.monotonic() - self._began
        self._on_event(StackEvent(event=kind, child=child, message=message, seconds=seconds))

    def _sayer(self, child: str) -> Say:
        def say(kind: Kind, message: str) -> None:
            self._say(kind, message, child)

        return say

    @contextmanager
    def _signals(self) -> Generator[None]:
        """SIGINT and SIGTERM end the loop; a second one skips every grace."""

        def ask(number: int, frame: FrameType | None) -> None:
            if self._stop.is_set():
                self._insist = True
                for keeper in self._keepers:
                    keeper.hurry()
            self._stop.set()

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, ask) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def hold_lock(run_dir: Path) -> Generator[None]:
    """Hold the lock of a stack; the kernel gives it back however this process ends.

    Raises:
        StackRunning: another process holds it; names its pid.
    """
    with (run_dir / "stack.lock").open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = lock_holder(run_dir)
            raise StackRunning(
                f"已经在运行（进程 {pid}）。用 zhengwu status 查看，用 zhengwu down 停止。"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)


def lock_holder(run_dir: Path) -> int | None:
    """The pid of the process that holds the lock, or None."""
    try:
        with (run_dir / "stack.lock").open("r+", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text.isdigit() else 0
    except FileNotFoundError:
        pass
    return None


def sweep(run_dir: Path) -> int:
    """End what a killed stack left behind. Only call while holding the lock.

    Returns:
        How many processes there were.
    """
    left = marked(str(run_dir))
    end(left, 3.0)
    (run_dir / "stack.json").unlink(missing_ok=True)
    return len(left)
