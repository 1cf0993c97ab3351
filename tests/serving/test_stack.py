"""The supervisor, with small real commands: what it starts it also ends, whatever happens."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from zhengwu.serving.events import StackState
from zhengwu.serving.processes import marked
from zhengwu.serving.stack import down, status
from zhengwu.settings import Settings, read_settings

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("tiny_stack.py")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def process_children(pid: int, module: str) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children() if module in child.cmdline()]


class Stack:
    """One home with two ports."""

    def __init__(self, home: Path) -> None:
        self.settings: Settings = read_settings(
            home=home, gateway_port=free_port(), pool_port=free_port()
        )
        self.started: list[subprocess.Popen[str]] = []

    def start(self, mode: str = "") -> subprocess.Popen[str]:
        s = self.settings
        process = subprocess.Popen(
            [sys.executable, SCRIPT, s.home, str(s.gateway_port), str(s.pool_port), mode],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process

    def start_and_wait(self) -> subprocess.Popen[str]:
        process = self.start()
        until(
            lambda: (
                (state := self.state()) is not None
                and (state.pid, state.phase) == (process.pid, "up")
            )
        )
        return process

    def state(self) -> StackState | None:
        try:
            text = (self.settings.run_dir / "stack.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return StackState.model_validate_json(text)

    def pid(self, child: str) -> int:
        state = self.state()
        assert state is not None
        return state.children[child].pid or 0

    def left(self) -> list[psutil.Process]:
        return [p for p in marked(str(self.settings.run_dir)) if alive(p)]

    def answers(self, port: int) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path / "home")
    yield stack
    for process in stack.started:
        if process.poll() is None:
            process.kill()
        process.communicate()
    for process in stack.left():
        process.kill()


def test_up_then_down_leaves_nothing(stack: Stack) -> None:
    process = stack.start_and_wait()
    found = status(stack.settings)
    assert found.running and found.pid == process.pid
    assert len(stack.left()) == 4  # three children and a grandchild
    assert down(stack.settings)
    assert process.wait(10) == 0
    assert not stack.left()
    assert not status(stack.settings).running
    assert not down(stack.settings)


def test_children_get_the_settings(stack: Stack) -> None:
    stack.start_and_wait()
    environment = psutil.Process(stack.pid("gateway")).environ()
    assert environment["ZHENGWU_HOME"] == str(stack.settings.home)
    assert environment["ZHENGWU_GATEWAY_PORT"] == str(stack.settings.gateway_port)


def test_a_second_up_names_the_first(stack: Stack) -> None:
    first = stack.start_and_wait()
    output, _ = stack.start().communicate(timeout=20)
    assert "stack_running" in output
    assert str(first.pid) in output and "zhengwu status" in output and "zhengwu down" in output
    assert stack.answers(stack.settings.gateway_port)


def test_a_taken_port_is_named_with_its_owner_and_setting(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", stack.settings.pool_port)):
        process = stack.start()
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert f":{stack.settings.pool_port}" in output
    assert str(os.getpid()) in output
    assert "ZHENGWU_POOL_PORT" in output
    assert not stack.left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after_s", [0.0, 0.3, 1.0])
def test_a_signal_while_starting_leaves_nothing(
    stack: Stack, number: signal.Signals, after_s: float
) -> None:
    process = stack.start("slow")
    assert process.stdout is not None
    first = process.stdout.readline()
    assert '"starting"' in first
    time.sleep(after_s)
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert "stack_stopped" in output
    assert process.returncode == 1
    assert not stack.left()


def test_a_second_signal_skips_every_grace(stack: Stack) -> None:
    process = stack.start_and_wait()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert not stack.left()


def test_kill_9_of_the_supervisor_leaves_nothing(stack: Stack) -> None:
    process = stack.start_and_wait()
    worker = psutil.Process(stack.pid("worker"))
    grandchild = worker.children()[0]
    process.kill()
    until(lambda: not any(p.pid != grandchild.pid for p in stack.left()), 3)
    # The grandchild ignores SIGTERM and was not asked to die with its parent: the warden's work.
    until(lambda: not alive(grandchild), 25)
    assert not stack.left()


def test_the_next_start_ends_what_even_the_warden_could_not(stack: Stack) -> None:
    process = stack.start_and_wait()
    grandchild = psutil.Process(stack.pid("worker")).children()[0]
    for warden in process_children(process.pid, "zhengwu.serving.warden"):
        warden.kill()
    process.kill()
    process.wait()
    assert grandchild.is_running()
    stack.start_and_wait()
    assert not alive(grandchild)


def test_a_dead_child_is_started_again(stack: Stack) -> None:
    stack.start_and_wait()
    for name in ("worker", "gateway", "pool"):
        before = stack.pid(name)
        os.kill(before, signal.SIGKILL)
        until(lambda: stack.pid(name) not in (0, before))  # noqa: B023
    until(lambda: stack.answers(stack.settings.gateway_port))
    state = stack.state()
    assert state is not None and state.children["worker"].restarts == 1


def test_what_a_dead_child_left_is_ended(stack: Stack) -> None:
    stack.start_and_wait()
    worker = psutil.Process(stack.pid("worker"))
    grandchild = worker.children()[0]
    worker.kill()
    until(lambda: not alive(grandchild))


def test_a_child_that_cannot_start_ends_the_stack_with_its_own_words(stack: Stack) -> None:
    process = stack.start("broken")
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "权重坏了" in output and "pool.log" in output
    assert not stack.left()


def test_events_are_json_lines_in_order(stack: Stack) -> None:
    process = stack.start_and_wait()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    kinds = [json.loads(line)["event"] for line in output.splitlines()]
    assert kinds[:3] == ["starting"] * 3
    assert kinds.index("up") > kinds.index("ready")
    assert kinds[-2:] == ["stopping", "stopped"]
