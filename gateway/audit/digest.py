"""SM3 (GB/T 32905-2016) of texts and records. Knows no record."""

import hashlib

from zhengwu.gateway.audit.errors import DigestMissing

EMPTY = "0" * 64
"""What the first record of a chain follows."""


def need_sm3() -> None:
    """Check once at start that SM3 is there.

    Raises:
        DigestMissing: this Python's OpenSSL was built without it.
    """
    try:
        hashlib.new("sm3")
    except ValueError as error:
        raise DigestMissing(
            "本机 Python 所用的 OpenSSL 不支持 SM3，无法写审计链。"
            "请换用 OpenSSL 3（编译时未关闭 SM3）的 Python 后重新启动。"
        ) from error


def sm3(data: bytes) -> str:
    """The SM3 digest, 64 hexadecimal digits."""
    return hashlib.new("sm3", data).hexdigest()


def link(previous: str, body: bytes) -> str:
    """The digest of a record that follows the record with the digest `previous`."""
    return sm3(previous.encode() + b"\n" + body)
