"""Time-based one-time codes, RFC 6238 (https://www.rfc-editor.org/rfc/rfc6238). Knows no user."""

import base64
import hmac
import secrets
import struct
from urllib.parse import quote, urlencode

STEP_S, DIGITS = 30, 6
WINDOW = 1
"""Steps that a clock may be off, each way."""
SECRET_BYTES = 20
ISSUER = "政务人工智能中台"
RECOVERY_CODES = 10


def new_secret() -> bytes:
    """A fresh shared secret."""
    return secrets.token_bytes(SECRET_BYTES)


def code_at(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """The code of one time step."""
    mac = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    at = mac[-1] & 0x0F
    number = struct.unpack(">I", mac[at : at + 4])[0] & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def step_of(secret: bytes, code: str, now: float) -> int | None:
    """The time step that `code` belongs to, near `now`; None if it belongs to none.

    The caller must take each step only once, and only forwards.
    """
    if len(code) != DIGITS or not (code.isascii() and code.isdecimal()):
        return None
    here = int(now // STEP_S)
    found = None
    for step in range(max(here - WINDOW, 0), here + WINDOW + 1):
        if hmac.compare_digest(code_at(secret, step), code):
            found = step
    return found


def address(secret: bytes, user: str) -> str:
    """What an authenticator app reads from a QR code."""
    told = {"secret": written(secret), "issuer": ISSUER, "digits": DIGITS, "period": STEP_S}
    return f"otpauth://totp/{quote(ISSUER)}:{quote(user)}?{urlencode(told)}"


def written(secret: bytes) -> str:
    """The secret as it is typed by hand."""
    return base64.b32encode(secret).decode()


def recovery_codes() -> list[str]:
    """Fresh recovery codes of 80 random bits each."""
    return [
        base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)
    ]
