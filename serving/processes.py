"""Processes that must not outlive each other (Linux). Knows nothing of what they run.

Three nets, each under the one before: a child asks the kernel for a signal when its parent dies;
a parent adopts orphans of its own tree and ends them; and every process of a stack carries a mark
in its environment, so that a later start finds what was left even after a `kill -9` of everything.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable

import psutil

from zhengwu.serving.errors import StackError

MARK = "ZW_STACK"
"""Environment variable that every process of a stack carries; its value is the stack's home."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def die_with_parent(signal_number: int) -> Callable[[], None]:
    """A function for a fresh child: the kernel sends it `signal_number` when its parent dies."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:  # it died before the kernel was asked
            os.kill(os.getpid(), signal_number)

    return ask_kernel


def follow_parent(signal_number: int) -> None:
    """Ask for `signal_number` when the parent of this process dies."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies.

    Raises:
        StackError: the kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1) != 0:
        raise StackError(f"prctl 失败：{os.strerror(ctypes.get_errno())}。")


def end_descendants(grace_s: float = 0.0) -> None:
    """End every descendant of this process: SIGTERM, `grace_s` seconds, SIGKILL."""
    end(psutil.Process().children(recursive=True), grace_s)


def marked(value: str) -> list[psutil.Process]:
    """Processes of this user that carry `MARK=value`, this one and its ancestors left out."""
    own = psutil.Process()
    spared = {own.pid, *(parent.pid for parent in own.parents())}
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.pid not in spared and process.environ().get(MARK) == value:
                found.append(process)
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or another user's
    return found


def end(processes: Iterable[psutil.Process], grace_s: float) -> None:
    """SIGTERM, `grace_s` seconds, SIGKILL; then wait until they are gone."""
    alive = list(processes)
    for number, seconds in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 5.0)):
        if number == signal.SIGTERM and not grace_s:
            continue
        for process in alive:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue
        _, alive = psutil.wait_procs(alive, timeout=seconds)


def reap_orphans() -> None:
    """Collect adopted orphans that have ended, so that no zombie stays."""
    for child in psutil.Process().children():
        try:
            if child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)
        except (psutil.Error, ChildProcessError):
            continue


def wait_gone(pid: int, seconds: float) -> bool:
    """Whether process `pid` is gone within `seconds`."""
    deadline = time.monotonic() + seconds
    while psutil.pid_exists(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
