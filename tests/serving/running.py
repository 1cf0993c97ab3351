"""A pool process under test: start it, ask it, stop it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import psutil

from zhengwu.serving.pool_state import DeploymentState, PoolState, read_state, write_file
from zhengwu.serving.spec import DeploymentSpec, PoolSpec

ROOT = Path(__file__).resolve().parents[2]
CHAT = "qwen2.5-coder-1.5b-instruct-q4"
EMBED = "multilingual-e5-small-q4"


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ray_folder() -> Path:
    """A short folder for Ray that no other test uses."""
    return Path(tempfile.mkdtemp(prefix="zw-test-", dir="/tmp"))


class Pool:
    """`python -m zhengwu.serving.pool` as its own process."""

    def __init__(self, spec: PoolSpec, folder: Path, python: str = sys.executable) -> None:
        self.spec = spec
        self.url = f"http://127.0.0.1:{spec.http_port}"
        self._file = folder / "pool.json"
        self._file.write_text(spec.model_dump_json(), encoding="utf-8")
        self._log = folder / "pool.log"
        self._python = python

    def __enter__(self) -> Self:
        # A wheel in another environment must not see this checkout.
        path = {"PYTHONPATH": str(ROOT / "src")} if self._python == sys.executable else {}
        base = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [self._python, "-m", "zhengwu.serving.pool", "--spec", str(self._file)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**base, **path},
                cwd=self._file.parent,
                start_new_session=True,
            )
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            shutil.rmtree(self.spec.temp_dir, ignore_errors=True)

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(x) for x in self.log.splitlines() if x.startswith('{"event"')]

    def wait_ready(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not any(event["event"] == "ready" for event in self.events()):
            assert self.process.poll() is None, self.log[-4000:]
            assert time.monotonic() < deadline, self.log[-4000:]
            time.sleep(0.2)

    def state(self) -> PoolState:
        """What the pool says of itself."""
        found = read_state(self._file)
        assert found is not None, self.log[-4000:]
        return found

    def change(
        self, *deployments: DeploymentSpec, drained_nodes: tuple[str, ...] = (), seconds: float = 90
    ) -> PoolState:
        """Ask for other deployments; what the pool says became of it."""
        spec = PoolSpec.model_validate_json(self._file.read_bytes())
        fields = {"deployments": deployments or spec.deployments, "revision": spec.revision + 1}
        fresh = spec.model_copy(update={**fields, "drained_nodes": drained_nodes})
        write_file(self._file, fresh.model_dump_json())
        self.process.send_signal(signal.SIGHUP)
        self.until(lambda: self.state().revision == fresh.revision, seconds)
        return self.state()

    def until(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.log[-4000:]
            assert time.monotonic() < deadline, self.log[-4000:]
            time.sleep(0.2)

    def deployment(self, model: str) -> DeploymentState:
        return next(one for one in self.state().deployments if one.model == model)

    def replicas(self, model: str) -> list[psutil.Process]:
        """The processes that run `model`."""
        own = psutil.Process(self.process.pid).children(recursive=True)
        return [p for p in own if f"ServeReplica:{model}@" in " ".join(_command(p))]

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON body of a GET."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def replica(self, model: str) -> psutil.Process:
        """The process that runs `model`; its title is another for a moment between two calls."""
        self.until(lambda: bool(self.replicas(model)), 10)
        return self.replicas(model)[0]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
