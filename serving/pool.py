"""The pool process: a local Ray head with Ray Serve and every deployment of a `PoolSpec`.

`python -m zhengwu.serving.pool --spec FILE` prints one JSON line per event on standard output,
lives until SIGTERM or SIGINT, and takes everything with it: Ray's processes die with this one,
also when it is killed -9. Knows nothing of profiles, settings or the stack.
"""

import argparse
import fcntl
import os
import secrets
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import orjson
from pydantic import ValidationError

from zhengwu.serving import edge
from zhengwu.serving.errors import PoolError, ServingError, SpecError
from zhengwu.serving.processes import adopt_orphans, end_descendants, follow_parent
from zhengwu.serving.rollout import roll_out, roll_over
from zhengwu.serving.spec import PoolSpec, check_placement

REFUSED = 2
"""Exit status when starting again would fail again."""
SHUTDOWN_S = 8.0


class Stopped(BaseException):
    """SIGTERM or SIGINT came; not an error."""


class Bell:
    """Rung by SIGHUP: the spec file says something new."""

    def __init__(self) -> None:
        """Silent."""
        self.rung = False

    def ring(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        self.rung = True


def main(argv: Sequence[str] | None = None) -> int:
    """Run the pool until it is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m zhengwu.serving.pool")
    parser.add_argument("--spec", type=Path, required=True, help="a PoolSpec as JSON")
    path: Path = parser.parse_args(argv).spec
    _listen()
    follow_parent(signal.SIGTERM)
    adopt_orphans()  # Ray's agents look after their parent only every minute
    try:
        spec = read_spec(path)
        check_placement(spec.deployments, spec.num_cpus, spec.num_gpus)
        run(spec, path)
    except Stopped:
        report("stopped")
        return 0
    except ServingError as error:
        report("failed", code=error.code, message=str(error))
        return REFUSED if isinstance(error, SpecError) else 1
    return 0


def read_spec(path: Path) -> PoolSpec:
    """The spec in a file.

    Raises:
        SpecError: the file is missing or says something wrong.
    """
    try:
        return PoolSpec.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise SpecError(f"无法读取部署文件 {path}：{error}。") from error


def run(spec: PoolSpec, path: Path) -> None:
    """Start Ray, deploy everything, follow the file on SIGHUP until stopped.

    Raises:
        PoolError: Ray did not start, or a deployment failed.
    """
    start = time.monotonic()
    bell = Bell()
    signal.signal(signal.SIGHUP, bell.ring)
    try:
        claim(spec.temp_dir)
        start_ray(spec)
        _listen()  # Ray has put its own handlers in place
        report("ray", seconds=time.monotonic() - start, port=spec.ray_port)
        roll_out(spec, _healthy)
        report("ready", seconds=time.monotonic() - start, port=spec.http_port)
        while True:
            time.sleep(0.5)
            if bell.rung:
                bell.rung = False
                spec = follow(spec, path)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        shut_down()


def claim(folder: Path) -> int:
    """Make `folder` this process's own until it ends.

    Returns:
        The open lock: the kernel gives it back when the process is gone.

    Raises:
        PoolError: another pool lives there, or it belongs to somebody else.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "pool.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PoolError(f"另一个模型池正在使用 {folder}，请先停止它。") from error
    except OSError as error:
        raise PoolError(f"不能使用目录 {folder}：{error}。") from error
    return lock


def clear_sessions(folder: Path) -> None:
    """Remove what earlier starts of Ray left in `folder`, and nothing else."""
    for session in folder.glob("session_*"):
        if session.is_dir() and not session.is_symlink():
            shutil.rmtree(session, ignore_errors=True)
        else:
            session.unlink(missing_ok=True)


def start_ray(spec: PoolSpec) -> None:
    """Start a Ray head that listens on 127.0.0.1 only and asks for a token.

    Raises:
        PoolError: Ray did not start.
    """
    clear_sessions(spec.temp_dir)
    # Ray reads these when it is imported, and its processes inherit them.
    os.environ |= {
        "RAY_GCS_SERVER_PORT": str(spec.ray_port),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # the default, 15, would let any other process slow answers
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": edge.IMPORT_PATH,
    }
    os.environ.pop("RAY_ADDRESS", None)
    import ray

    try:
        ray.init(
            address="local",
            num_cpus=spec.num_cpus,
            num_gpus=spec.num_gpus,
            object_store_memory=spec.object_store_mb * 2**20,
            include_dashboard=spec.dashboard,
            namespace="zhengwu",
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(spec.temp_dir),
        )
    except (RuntimeError, ValueError, OSError, ConnectionError) as error:
        raise PoolError(
            f"Ray 没有启动（端口 {spec.ray_port}，目录 {spec.temp_dir}）：{error}。"
            "如端口被占用，请改 ZHENGWU_RAY_PORT。"
        ) from error


def follow(spec: PoolSpec, path: Path) -> PoolSpec:
    """Deploy what the file says now.

    Returns:
        The spec in force: the old one where the new one was refused.
    """
    start = time.monotonic()
    try:
        fresh = read_spec(path)
        roll_over(spec, fresh, _healthy)
    except ServingError as error:
        report("refused", code=error.code, message=str(error))
        return spec
    report("redeployed", seconds=time.monotonic() - start)
    return fresh


def shut_down() -> None:
    """Stop Serve and Ray within a few seconds, then whatever is left of them."""
    thread = threading.Thread(target=_shut_down_ray, daemon=True)
    thread.start()
    thread.join(SHUTDOWN_S)
    end_descendants()


def _shut_down_ray() -> None:
    import ray
    from ray import serve

    if ray.is_initialized():
        serve.shutdown()
        ray.shutdown()


def _healthy(model: str, seconds: float) -> None:
    report("healthy", model=model, seconds=seconds)


def report(event: str, **fields: object) -> None:
    """Print one event as a JSON line."""
    sys.stdout.write(orjson.dumps({"event": event, **fields}).decode() + "\n")
    sys.stdout.flush()


def _listen() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    sys.exit(main())
