"""A further node of a pool: `python -m zhengwu.serving.node`, until SIGTERM or until it is drained.

The node installs the same wheel as the head; nothing is sent to it but the names of what to run.
It takes everything with it: Ray's processes die with this one. Knows nothing of deployments.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import cast

import psutil

from zhengwu.serving.errors import PoolError, SpecError
from zhengwu.serving.processes import (
    adopt_orphans,
    die_with_parent,
    end_descendants,
    follow_parent,
)

STOP_S = 10.0
LOOK_S = 1.0
TRIES, STARTED_S = 3, 60.0


def join(
    head: str,
    token_file: Path,
    name: str,
    num_cpus: int | None = None,
    num_gpus: int | None = None,
    resources: Mapping[str, float] | None = None,
    host: str | None = None,
) -> int:
    """Join the pool whose Ray listens at `head` and stay until told to stop, or drained.

    Args:
        head: host and port, for instance `10.1.0.4:6390`.
        token_file: the file `token` of the pool's own folder, copied here.
        name: how the node is called in `zhengwu pool status`.
        num_cpus: None is what Ray finds.
        num_gpus: None is what Ray finds.
        resources: custom resources, for instance `{"NPU": 8}`.
        host: the address other nodes reach this one at; None is Ray's guess.

    Returns:
        Ray's exit status; 0 when it was stopped or drained.

    Raises:
        SpecError: the token cannot be read.
        PoolError: `ray` cannot be run.
    """
    adopt_orphans()
    environment = _environment(token_file)
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block"]
    command += [f"--address={head}", f"--node-name={name}", "--disable-usage-stats"]
    for option, value in (("num-cpus", num_cpus), ("num-gpus", num_gpus)):
        command += [f"--{option}={value}"] if value is not None else []
    command += [f"--resources={json.dumps(dict(resources))}"] if resources else []
    command += [f"--node-ip-address={host}"] if host else []
    for left in reversed(range(TRIES)):
        began = time.monotonic()
        stopped, status = _run(command, environment)
        if stopped or status == 0:
            return 0
        if not left or time.monotonic() - began > STARTED_S:
            return status
        # Ray gives up on a start that took 30 s, as on a busy machine it may.
    raise AssertionError("unreachable")


def _run(command: Sequence[str], environment: Mapping[str, str]) -> tuple[bool, int]:
    """Run Ray's own processes until they end; whether somebody ended them, and their status."""
    try:
        process = subprocess.Popen(
            command, env=dict(environment), preexec_fn=die_with_parent(signal.SIGTERM)
        )
    except OSError as error:
        raise PoolError(
            f"不能运行 ray：{error}。请安装 zhengwu[embedded] 或 zhengwu[vllm]。"
        ) from error
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        process.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        status = _wait(process)
        return stopped, status
    finally:
        end_descendants(STOP_S if stopped else 0.0)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Until Ray ends, or until the node was drained: `ray start --block` stays on after that."""
    seen = False
    while True:
        try:
            return process.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            there = "raylet" in _names_below()
        if seen and not there:
            return 0
        seen = seen or there


def _names_below() -> set[str]:
    names: set[str] = set()
    for child in psutil.Process().children(recursive=True):
        try:
            if child.status() != psutil.STATUS_ZOMBIE:
                names.add(child.name())
        except psutil.NoSuchProcess:
            continue
    return names


def _environment(token_file: Path) -> dict[str, str]:
    try:
        token = token_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(
            f"无法读取令牌文件 {token_file}：{error}。请从主节点的模型池目录复制 token 文件。"
        ) from error
    own = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
    }
    return {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | own


def main(argv: Sequence[str] | None = None) -> int:
    """Join from the command line; `zhengwu pool join` is the same with Chinese help."""
    parser = argparse.ArgumentParser(prog="python -m zhengwu.serving.node")
    parser.add_argument("--head", required=True)
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--num-cpus", type=int)
    parser.add_argument("--num-gpus", type=int)
    parser.add_argument("--resources", type=json.loads, default={})
    parser.add_argument("--host")
    asked = parser.parse_args(argv)
    follow_parent(signal.SIGTERM)
    try:
        return join(
            asked.head,
            asked.token_file,
            asked.name,
            asked.num_cpus,
            asked.num_gpus,
            cast(dict[str, float], asked.resources),
            asked.host,
        )
    except (SpecError, PoolError) as error:
        print(f"错误：{error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
