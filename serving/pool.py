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

from zhengwu.serving import edge, routes
from zhengwu.serving.cluster import HEAD, leave, nodes, rooms, wait_for_nodes
from zhengwu.serving.errors import PoolError, ServingError, SpecError
from zhengwu.serving.placement import check_nodes
from zhengwu.serving.pool_state import write_file
from zhengwu.serving.processes import adopt_orphans, end_descendants, follow_parent
from zhengwu.serving.rollout import Rollout, start_serve
from zhengwu.serving.spec import PoolSpec, check_placement
from zhengwu.serving.watch import Watch

REFUSED = 2
"""Exit status when starting again would fail again."""
SHUTDOWN_S = 8.0
ROUND_S = 0.5
ROUTES, TOKEN = "routes.json", "token"
"""Files in the pool's own folder; a node that joins needs the second."""


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
        if spec.nodes == 1:  # with more, what they have is known when they are there
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
    spec = spec.model_copy(update={"drained_nodes": ()})  # they were another Ray's
    bell = Bell()
    signal.signal(signal.SIGHUP, bell.ring)
    try:
        claim(spec.temp_dir)
        start_ray(spec)
        _listen()  # Ray has put its own handlers in place
        report("ray", seconds=time.monotonic() - start, port=spec.ray_port)
        wait_for_nodes(spec.nodes, spec.nodes_timeout_s)
        start_serve(spec)
        rollout = Rollout(spec.temp_dir / ROUTES, _healthy)
        watch = Watch(path, rollout)
        rollout.start(spec.deployments, spec.drained_nodes)
        watch.say(spec.revision, "done", "")
        report("ready", seconds=time.monotonic() - start, port=spec.http_port)
        while True:
            spec = look(watch, spec)
            time.sleep(ROUND_S)
            if bell.rung:
                bell.rung = False
                spec = follow(rollout, watch, spec, path)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        shut_down()


def look(watch: Watch, spec: PoolSpec) -> PoolSpec:
    """One look at nodes and replicas; a drained node that has left is drained no more."""
    for node in watch.look(spec):
        report("node", name=node.name, alive=node.alive)
        if not node.alive and node.name in spec.drained_nodes:
            kept = tuple(name for name in spec.drained_nodes if name != node.name)
            spec = spec.model_copy(update={"drained_nodes": kept})
    return spec


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
    """Start a Ray head that listens on `spec.host` only and asks for a token.

    Raises:
        PoolError: Ray did not start.
    """
    clear_sessions(spec.temp_dir)
    token = secrets.token_hex(32)
    write_token(spec.temp_dir / TOKEN, token)
    # Ray reads these when it is imported, and its processes inherit them.
    os.environ |= {
        "RAY_GCS_SERVER_PORT": str(spec.ray_port),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # the default, 15, would let any other process slow answers
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": edge.IMPORT_PATH,
        # The defaults, 10 s, would add themselves to every decision to scale.
        "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
        "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
        routes.VARIABLE: str(spec.temp_dir / ROUTES),
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
            resources=spec.resources or None,
            _node_ip_address=spec.host,
            _node_name=HEAD,
            _temp_dir=str(spec.temp_dir),
        )
    except (RuntimeError, ValueError, OSError, ConnectionError) as error:
        raise PoolError(
            f"Ray 没有启动（端口 {spec.ray_port}，目录 {spec.temp_dir}）：{error}。"
            "如端口被占用，请改 ZHENGWU_RAY_PORT。"
        ) from error


def follow(rollout: Rollout, watch: Watch, spec: PoolSpec, path: Path) -> PoolSpec:
    """Carry out what the file says now; what is refused is put right in the file.

    Returns:
        The spec in force: what went before, where the new one was refused.
    """
    start = time.monotonic()
    try:
        fresh = read_spec(path)
    except ServingError as error:
        report("refused", code=error.code, message=str(error))
        return spec
    try:
        leave_nodes(spec, fresh)
    except ServingError as error:
        report("refused", code=error.code, message=str(error))
        watch.say(fresh.revision, "refused", str(error))
        kept = spec.model_copy(update={"revision": fresh.revision})
        write_file(path, kept.model_dump_json(indent=2))
        return kept
    refusals = rollout.change(fresh.deployments, fresh.drained_nodes)
    for refusal in refusals:
        report("refused", code="pool", message=refusal.message, model=refusal.model)
    message = "\n".join(refusal.message for refusal in refusals)
    watch.say(fresh.revision, "refused" if refusals else "done", message, refusals)
    fresh = fresh.model_copy(update={"deployments": rollout.live})
    write_file(path, fresh.model_dump_json(indent=2))
    report("redeployed", seconds=time.monotonic() - start, refused=len(refusals))
    return fresh


def leave_nodes(old: PoolSpec, new: PoolSpec) -> None:
    """Have replicas leave the nodes that the new spec names and the old one does not.

    Raises:
        PoolError: no such node, the head, or Ray refused.
        PlacementError: the other nodes have no room; nothing was changed.
    """
    found = nodes(new.drained_nodes)
    by_name = {node.name: node for node in found}
    names = [name for name in new.drained_nodes if name not in old.drained_nodes]
    for name in names:
        node = by_name.get(name)
        if node is None or not node.alive:
            there = "、".join(node.name for node in found if node.alive)
            raise PoolError(f"没有名为 {name} 的在线节点，可选：{there}。")
        if node.head:
            raise PoolError(f"{name} 是主节点，不能腾空；停用它请用 zhengwu down。")
    if names:
        check_nodes(new.deployments, rooms(found))
    for name in names:
        leave(by_name[name], "zhengwu pool drain")


def write_token(path: Path, token: str) -> None:
    """Leave the token where a node of this user finds it; nobody else may read it."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token)


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
