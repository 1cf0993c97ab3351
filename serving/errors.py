"""What can go wrong in the pool and the stack.

ServingError
├── SpecError           a deployment or profile says something wrong
│   └── PlacementError  the machine has fewer CPUs or GPUs than the profile needs
├── EngineError         an engine did not start, or died while answering
│   ├── EngineMissing   the extra that carries the engine is not installed
│   └── EngineRefused   the engine said no to this request; carries status and OpenAI code
├── QueueFull           back-pressure: the engine and its queue are full
├── PoolError           Ray or Ray Serve did not start, or a deployment failed
└── StackError          the supervisor of `zhengwu up`
    ├── PortTaken       another process listens on a port of the stack
    ├── StackRunning    a second `zhengwu up`
    └── StackStopped    Ctrl-C or `zhengwu down` while starting
"""

from zhengwu.errors import ZhengwuError


class ServingError(ZhengwuError):
    """The pool or the stack failed."""

    code = "serving"


class SpecError(ServingError):
    """A deployment or profile says something wrong."""

    code = "spec"


class PlacementError(SpecError):
    """The machine has fewer CPUs or GPUs than the profile needs."""

    code = "placement"


class EngineError(ServingError):
    """An engine did not start, or died while answering."""

    code = "engine"


class EngineMissing(EngineError):
    """The extra that carries the engine is not installed."""

    code = "engine_missing"


class EngineRefused(EngineError):
    """The engine said no to this request."""

    code = "engine_refused"

    def __init__(self, message: str, status: int = 400, wire_code: str = "invalid_request") -> None:
        # Every argument goes to the base, so that the error survives pickling between processes.
        super().__init__(message, status, wire_code)
        self.message = message
        self.status = status
        self.wire_code = wire_code

    def __str__(self) -> str:
        """The message alone."""
        return self.message


class QueueFull(ServingError):
    """The engine and its queue are full."""

    code = "queue_full"

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message, retry_after_s)
        self.message = message
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        """The message alone."""
        return self.message


class PoolError(ServingError):
    """Ray or Ray Serve did not start, or a deployment failed."""

    code = "pool"


class StackError(ServingError):
    """The supervisor of `zhengwu up` failed."""

    code = "stack"


class PortTaken(StackError):
    """Another process listens on a port of the stack."""

    code = "port_taken"


class StackRunning(StackError):
    """A second `zhengwu up`."""

    code = "stack_running"


class StackStopped(StackError):
    """The stack was told to stop while it was starting."""

    code = "stack_stopped"
