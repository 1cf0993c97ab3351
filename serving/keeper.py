"""Keeps one child of the stack: start, readiness, restart with back-off, stop.

Knows one process; the supervisor knows all of them.
"""

import http.client
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping

from zhengwu.serving.children import Child
from zhengwu.serving.errors import StackError
from zhengwu.serving.events import ChildState, Kind
from zhengwu.serving.logs import ChildLog
from zhengwu.serving.processes import die_with_parent

FIRST_WAIT_S, LONGEST_WAIT_S, STEADY_S = 0.5, 30.0, 60.0
TRIES_AT_START = 3

Say = Callable[[Kind, str], None]
"""Takes the event's kind and the message."""


class Keeper:
    """One child."""

    def __init__(
        self, child: Child, environment: Mapping[str, str], log: ChildLog, say: Say
    ) -> None:
        """Nothing is started yet."""
        self.child = child
        self.log = log
        self._environment = {**environment, **child.environment}
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self.exits = 0
        self._wait_until: float | None = None
        self._left_to_ask: list[str] = []
        self.ready = False
        self.was_ready = False

    @property
    def state(self) -> ChildState:
        """For the state file."""
        pid = self._process.pid if self._process else None
        return ChildState(pid=pid, ready=self.ready, restarts=self.exits)

    def start(self) -> None:
        """Start the process.

        Raises:
            StackError: the command cannot be run.
        """
        prepare = die_with_parent(self.child.orphaned)
        nice = self.child.nice

        def in_child() -> None:
            os.nice(nice)
            prepare()

        with self.log.open() as output:
            try:
                self._process = subprocess.Popen(
                    self.child.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    start_new_session=True,  # Ctrl-C reaches the supervisor alone
                    preexec_fn=in_child,
                )
            except OSError as error:
                raise StackError(f"不能启动 {self.child.name}：{error}。") from error
        self._started = time.monotonic()
        self._wait_until = None
        self._left_to_ask = list(self.child.ready_urls)

    def look(self) -> None:
        """One round: notice an exit, restart when it is time, ask whether it is ready.

        Raises:
            StackError: it will not start; the message carries the end of its log.
        """
        self._tell_progress()
        if self._wait_until is not None:
            if time.monotonic() >= self._wait_until:
                self._say("restarting", f"重新启动 {self.child.name}（第 {self.exits} 次）")
                self.start()
        elif self._process is not None and (status := self._process.poll()) is not None:
            self._exited(status)
        elif not self.ready:
            self._ask()

    def hurry(self) -> None:
        """End it at once: somebody pressed Ctrl-C twice."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, the child's grace, then SIGKILL to its whole session."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(self.child.grace_s)
        except subprocess.TimeoutExpired:
            self._say("stopping", f"{self.child.name} 没有按时退出，强制结束")
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the child and its session."""
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._process, self.ready = None, False

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _tell_progress(self) -> None:
        for event in self.log.new_events():
            name, seconds = event["event"], event.get("seconds")
            took = f"（{seconds:.1f} 秒）" if isinstance(seconds, float) else ""
            if name == "healthy":
                self._say("progress", f"模型 {event.get('model')} 就绪{took}")
            elif name == "failed":
                self._say("progress", str(event.get("message")))
            else:
                self._say("progress", f"{self.child.name}：{name}{took}")

    def _ask(self) -> None:
        while self._left_to_ask:
            if not answers(self._left_to_ask[0]):
                if not self.was_ready and time.monotonic() - self._started > self.child.start_s:
                    raise StackError(
                        f"{self.child.name} 在 {self.child.start_s:.0f} 秒内没有就绪。"
                        f"日志 {self.log.path} 的末尾：\n{self.log.tail()}"
                    )
                return
            self._left_to_ask.pop(0)
        self.ready = self.was_ready = True
        self._say("ready", f"{self.child.name} 就绪")

    def _exited(self, status: int) -> None:
        lived = time.monotonic() - self._started
        self.kill()  # what it may have left in its session
        self.exits = 1 if lived > STEADY_S else self.exits + 1
        self._say("exited", f"{self.child.name} 已退出（状态 {status}）")
        hopeless = status == self.child.fatal_status
        if not self.was_ready and (hopeless or self.exits >= TRIES_AT_START):
            raise StackError(
                f"{self.child.name} 没有启动（退出状态 {status}）。"
                f"日志 {self.log.path} 的末尾：\n{self.log.tail()}"
            )
        wait = min(FIRST_WAIT_S * 2 ** (self.exits - 1), LONGEST_WAIT_S)
        self._wait_until = time.monotonic() + wait


def answers(url: str, timeout_s: float = 1.0) -> bool:
    """Whether `url` answers 200 within `timeout_s`."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=timeout_s) as answer:
            return answer.status == 200
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, OSError):
        return False
