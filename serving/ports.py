"""Whether the ports of a stack are free. Knows sockets and process names, no setting's meaning."""

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from zhengwu.serving.errors import PortTaken


@dataclass(frozen=True)
class Port:
    """A port that the stack will listen on, and the variable that changes it."""

    host: str
    number: int
    purpose: str
    variable: str


def check_ports(ports: Iterable[Port]) -> None:
    """Refuse to start when another process listens on one of `ports`.

    Raises:
        PortTaken: names the port, the process where it may be seen, and the variable.
    """
    for port in ports:
        if (reason := _refusal(port)) is not None:
            raise PortTaken(
                f"{port.purpose}的端口 {port.host}:{port.number} {reason}。"
                f"请停止那个程序，或设置 {port.variable} 换一个端口后重新启动。"
            )


def _refusal(port: Port) -> str | None:
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.host, port.number))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"已被{_listener(port.number)}占用"
            return f"不能使用（{error.strerror}）"
    return None


def _listener(number: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return "另一个程序"
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        if connection.laddr.port == number and connection.pid:
            try:
                return f"进程 {connection.pid}（{psutil.Process(connection.pid).name()}）"
            except psutil.NoSuchProcess:
                break
    return "另一个程序"
