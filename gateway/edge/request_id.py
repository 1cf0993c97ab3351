"""Gives every request an id, in the answer, the errors, the log and the audit trail."""

import os
import re

from starlette.types import Scope

SAFE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
NAME = b"x-request-id"


def id_of(scope: Scope) -> str:
    """The caller's own `X-Request-ID` if it is safe to write into a log, else a fresh one."""
    for name, value in scope["headers"]:
        if name == NAME and SAFE.fullmatch(value):
            return value.decode()
    return os.urandom(16).hex()
