"""The bearer key of a request. Knows the header; knows no table and no caller."""

from zhengwu.gateway.errors import KeyRefused


def bearer(header: str | None) -> str:
    """The key in an `Authorization` header.

    Raises:
        KeyRefused: the header is missing or of another kind.
    """
    scheme, _, secret = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise KeyRefused("缺少密钥，请在请求头中加入 Authorization: Bearer zw-…。")
    return secret.strip()
