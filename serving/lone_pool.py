"""A pool process without a stack: started for a measurement, and stopped with everything it has.

Knows the command, the spec file and the events; knows nothing of what is asked of the pool.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from zhengwu.serving.errors import PoolError
from zhengwu.serving.logs import ChildLog
from zhengwu.serving.processes import die_with_parent
from zhengwu.serving.spec import DeploymentSpec, PoolSpec, available_cpus

STOP_S = 30.0


@contextmanager
def lone_pool(deployments: Sequence[DeploymentSpec], start_s: float = 300.0) -> Generator[PoolSpec]:
    """A pool of `deployments` on free ports of this machine, once all of them answer.

    Raises:
        PoolError: it did not come up; carries what it said.
    """
    folder = Path(tempfile.mkdtemp(prefix="zw-", dir="/tmp"))  # short: it holds Ray's sockets
    spec = PoolSpec(
        deployments=tuple(deployments),
        http_port=free_port(),
        ray_port=free_port(),
        num_cpus=available_cpus(),
        temp_dir=folder / "ray",
    )
    (folder / "pool.json").write_text(spec.model_dump_json(), encoding="utf-8")
    log = ChildLog(folder / "pool.log")
    process = _start(folder, log)
    try:
        _wait_ready(process, log, start_s)
        yield spec
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, log: ChildLog) -> subprocess.Popen[bytes]:
    with log.open() as output:
        return subprocess.Popen(
            [sys.executable, "-m", "zhengwu.serving.pool", "--spec", str(folder / "pool.json")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(os.environ),
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )


def _wait_ready(process: subprocess.Popen[bytes], log: ChildLog, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        for event in log.new_events():
            if event["event"] == "ready":
                return
            if event["event"] == "failed":
                raise PoolError(str(event.get("message")))
        if process.poll() is not None or time.monotonic() > deadline:
            raise PoolError(f"模型池没有启动。日志末尾：\n{log.tail()}")
        time.sleep(0.2)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
