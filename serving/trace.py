"""The tracer of one engine replica: it goes on with the trace that the gateway sends along."""

import atexit
from contextlib import ExitStack

from opentelemetry.trace import Tracer

from zhengwu.settings import read_settings
from zhengwu.tracing import open_tracing


def replica_tracer(model: str) -> Tracer | None:
    """A tracer that sends until this process ends; None where no collector is set.

    A replica is a process of its own: it reads the settings that `zhengwu up` handed to the pool.
    """
    settings = read_settings()
    if settings.otlp_endpoint is None:
        return None
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(open_tracing(settings.otlp_endpoint, f"engine:{model}"))
