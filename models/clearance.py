"""May a call of this data grade leave for this upstream. Decides; opens no connection.

`egress.py` asks here at the point of connecting, and nobody else connects.
"""

from functools import lru_cache
from typing import Literal

from yarl import URL

from zhengwu.models.addresses import PoolAddresses
from zhengwu.models.errors import EgressRefused
from zhengwu.models.upstream import Upstream

Way = Literal["pool", "resolve", "outside"]


def decide(grade: object, url: URL, upstream: Upstream, pool: PoolAddresses) -> Way:
    """Return by which way a call may leave.

    `pool`: the host itself is on the list. `resolve`: it may leave only if, at the point of
    connecting, every address of the name is on the list. `outside`: it may leave for the
    upstream wherever it is.

    Raises:
        EgressRefused: it may not leave. Every doubt ends here.
    """
    if type(grade) is not int or not 1 <= grade <= 4:
        raise EgressRefused(f"数据分级“{grade}”无法识别，已拒绝外发；应为 1 至 4")
    if grade == 4:
        raise EgressRefused("涉密数据（4 级）不得交给任何模型")
    if grade > upstream.grade_allowed:
        raise EgressRefused(
            f"模型“{upstream.name}”最高只能处理 {upstream.grade_allowed} 级数据，本次为 {grade} 级"
        )
    host, port = url.host, url.port
    if url.scheme not in ("http", "https") or not host or not port or url.user or url.password:
        raise EgressRefused(f"上游“{upstream.name}”的地址 {upstream.base_url} 不合规，已拒绝")
    if pool.has_address(host, port) or pool.has_name(host, port):
        return "pool"
    if grade == 1 or (grade == 2 and upstream.privately_deployed):
        if url.scheme != "https" and not upstream.privately_deployed:
            raise EgressRefused(f"上游“{upstream.name}”不在算力池内，必须使用 https")
        return "outside"
    if ":" in host or host.replace(".", "").isdigit():
        raise off_pool(host, port)  # an address is never resolved
    return "resolve"


def off_pool(host: str, port: int) -> EgressRefused:
    """Return the refusal of an address that is not on the list."""
    return EgressRefused(
        f"{host}:{port} 不在算力池地址表内，2 级以上数据不得外发；"
        "请安全管理员核对地址表，或改用池内模型"
    )


def address_of(upstream: Upstream, path: str) -> URL:
    """Return where a call goes; its path cannot change the host.

    Raises:
        EgressRefused: the path or the upstream's own address is not plain.
    """
    return _joined(upstream.name, upstream.base_url, path)


@lru_cache(4096)
def _joined(name: str, base_url: str, path: str) -> URL:
    plain = path.strip("/")
    if not plain or any(bad in path for bad in ("//", "..", "\\", "?", "#", "%", "@", ":")):
        raise EgressRefused(f"请求路径“{path}”不合规，已拒绝")
    try:
        base = URL(base_url)
    except ValueError as error:
        raise EgressRefused(f"上游“{name}”的地址 {base_url} 不合规") from error
    if base.query_string or base.fragment:
        raise EgressRefused(f"上游“{name}”的地址 {base_url} 不应带参数")
    return base.joinpath(plain)
