"""Serves the gateway with uvicorn: one process, one socket, bound before anything else starts."""

import logging
import socket
import sys

import uvicorn
from fastapi import FastAPI

from zhengwu.gateway.edge.observe import LOGGER as ACCESS
from zhengwu.gateway.errors import PortTaken

GRACE_S = 3
"""How long answers under way may take to end after Ctrl-C."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        PortTaken: another process listens there, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"无法监听 {host}:{port}（{error.strerror}）。请停止占用该端口的程序，"
            "或用 ZHENGWU_GATEWAY_PORT 换一个端口。"
        ) from error
    listener.set_inheritable(True)
    return listener


def make_server(app: FastAPI) -> uvicorn.Server:
    """Uvicorn without its own access log: ours has no addresses and no queries."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=64 * 1024,
    )
    return uvicorn.Server(config)


def set_up_logs() -> None:
    """Access lines as bare JSON on standard output; everything else on standard error."""
    access = logging.getLogger(ACCESS)
    access.setLevel(logging.INFO)
    access.propagate = False
    lines = logging.StreamHandler(sys.stdout)
    lines.setFormatter(logging.Formatter("%(message)s"))
    access.handlers = [lines]
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
