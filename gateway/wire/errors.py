"""What the wire refuses. A message names the parameter and the remedy.

GatewayError
└── WireError               carries the parameter it is about
    ├── UnsupportedParameter    known to OpenAI, not offered here
    ├── WrongParameter          a value that cannot be taken
    ├── UnknownObject           no such file, batch or response of this caller
    ├── NotNow                  the object's state does not allow it
    └── KeyReused               an idempotency key used again, for another body or too early
"""

from zhengwu.gateway.errors import GatewayError


class WireError(GatewayError):
    """A request of the wire cannot be taken. `param` names what is wrong."""

    code = "invalid_request"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class UnsupportedParameter(WireError):
    """A parameter that this gateway does not offer."""

    code = "unsupported_parameter"


class WrongParameter(WireError):
    """A value that cannot be taken."""

    code = "invalid_value"


class UnknownObject(WireError):
    """No such object of this caller."""

    code = "not_found"


class NotNow(WireError):
    """The object's state does not allow it."""

    code = "wrong_state"


class KeyReused(WireError):
    """An idempotency key was used for another body, or its first request still runs."""

    code = "idempotency_conflict"

    def __init__(self, message: str, wait_s: int | None = None) -> None:
        super().__init__(message, "Idempotency-Key")
        self.wait_s = wait_s
