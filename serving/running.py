"""A running stack for commands that need an engine: the one that runs, or one of their own.

What such a command starts, it stops.
"""

from collections.abc import Generator
from contextlib import contextmanager

from zhengwu.serving.events import OnEvent
from zhengwu.serving.stack import down, status, up
from zhengwu.settings import Settings


@contextmanager
def running_stack(settings: Settings, on_event: OnEvent) -> Generator[str]:
    """The address of a gateway that answers.

    Raises:
        StackError: as for `up`, when one has to be started.
    """
    found = status(settings)
    if found.running and found.state and found.state.phase == "up":
        yield found.state.url
        return
    up(settings, on_event, detach=True)
    try:
        state = status(settings).state
        yield state.url if state else f"http://{settings.gateway_host}:{settings.gateway_port}"
    finally:
        down(settings)
