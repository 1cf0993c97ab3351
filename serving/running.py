"""A running stack for commands that need an engine: the one that runs, or one of their own.

What such a command starts, it stops.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager

from zhengwu.serving.children import gateway_url
from zhengwu.serving.events import OnEvent
from zhengwu.serving.stack import down, status, up
from zhengwu.settings import Settings

LOOK_S = 0.3


@contextmanager
def running_stack(settings: Settings, on_event: OnEvent) -> Generator[str]:
    """The address of a gateway that answers.

    Raises:
        StackError: as for `up`, when one has to be started.
    """
    if _is_up(settings):
        yield gateway_url(settings)
        return
    up(settings, on_event, detach=True)
    try:
        yield gateway_url(settings)
    finally:
        down(settings)


def _is_up(settings: Settings) -> bool:
    """Whether a stack runs; one that somebody else just starts is waited for."""
    while True:
        found = status(settings)
        if not found.running or found.state is None or found.state.phase == "stopping":
            return False
        if found.state.phase == "up":
            return True
        time.sleep(LOOK_S)
