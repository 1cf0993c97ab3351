"""Headers that keep a browser from doing what the pages never ask of it."""

from collections.abc import Iterable

Header = tuple[bytes, bytes]

ALWAYS: tuple[Header, ...] = ((b"x-content-type-options", b"nosniff"),)
FOR_BROWSERS: tuple[Header, ...] = (
    *ALWAYS,
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
UNLESS_SAID: tuple[Header, ...] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""Data is never cached, and never a page, unless the route says so."""
WIRE = "/v1/"
"""No browser shows what comes from here."""


def with_security(headers: Iterable[Header], path: str) -> list[Header]:
    """`headers` and what they do not already say."""
    given = list(headers)
    said = {name for name, _ in given}
    given += ALWAYS if path.startswith(WIRE) else FOR_BROWSERS
    given += (header for header in UNLESS_SAID if header[0] not in said)
    return given
