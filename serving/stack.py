"""`zhengwu up`, `down` and `status`: the stack of one home, by settings.

Knows what a stack is made of; how processes are kept is the supervisor's, what they do is theirs.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from zhengwu.db.home import open_engine
from zhengwu.errors import ZhengwuError
from zhengwu.serving.children import Child, environment, pool_spec, stack_children, stack_ports
from zhengwu.serving.errors import StackError
from zhengwu.serving.events import OnEvent, StackEvent, StackState
from zhengwu.serving.keeper import answers
from zhengwu.serving.logs import ChildLog
from zhengwu.serving.pool_state import state_file, write_file
from zhengwu.serving.ports import check_ports
from zhengwu.serving.processes import end, marked, wait_gone
from zhengwu.serving.spec import PoolSpec, check_placement
from zhengwu.serving.supervisor import Supervisor, hold_lock, lock_holder, sweep
from zhengwu.serving.versions import Versions, numbered_spec
from zhengwu.settings import Settings, read_settings

DOWN_S = 45.0


class StackStatus(BaseModel):
    """What runs now."""

    model_config = ConfigDict(frozen=True)

    running: bool
    pid: int | None = None
    state: StackState | None = None
    healthy: dict[str, bool] = {}
    """Whether the gateway answers and whether each child is ready, asked just now."""


def up(settings: Settings, on_event: OnEvent, detach: bool = False) -> None:
    """Start the stack and keep it until SIGINT or SIGTERM.

    Args:
        settings: handed to every child through the environment.
        on_event: told of every step, while it happens.
        detach: return as soon as everything is ready; the stack stays.

    Raises:
        StackRunning: it runs already; names the pid.
        PortTaken: names the port, the process and the setting.
        PlacementError: the profile does not fit this machine; names the numbers.
        WeightsMissing: names the command that fetches them.
        StackStopped: Ctrl-C before everything was ready.
        StackError: a process would not start; carries the end of its log.
    """
    if detach:
        _up_detached(settings, on_event)
        return
    supervise(settings, on_event)


def supervise(
    settings: Settings, on_event: OnEvent, children: Sequence[Child] | None = None
) -> None:
    """Run the supervisor here, with the stack's children or with those given."""
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    if children is None:
        with hold_lock(settings.run_dir):  # a clear refusal before any work
            sweep(settings.run_dir)
            check_ports(stack_ports(settings))
        children = _children(settings)
    Supervisor(
        run_dir=settings.run_dir,
        log_dir=settings.log_dir,
        children=children,
        ports=stack_ports(settings),
        environment=environment(settings),
        url=f"http://{settings.gateway_host}:{settings.gateway_port}",
        on_event=on_event,
    ).run()


def down(settings: Settings) -> bool:
    """Stop the stack and wait until nothing is left of it.

    Returns:
        Whether anything was running.

    Raises:
        StackError: it could not be stopped.
    """
    pid = lock_holder(settings.run_dir)
    if pid:
        os.kill(pid, signal.SIGTERM)
        if not wait_gone(pid, DOWN_S):
            os.kill(pid, signal.SIGKILL)
            wait_gone(pid, 5.0)
    left = marked(str(settings.run_dir))
    end(left, 3.0)
    if still := marked(str(settings.run_dir)):
        raise StackError(f"进程 {[p.pid for p in still]} 没有退出，请手动结束。")
    return pid is not None or bool(left)


def status(settings: Settings) -> StackStatus:
    """What runs now."""
    pid = lock_holder(settings.run_dir)
    state = _read_state(settings)
    if pid is None or state is None:
        return StackStatus(running=False)
    healthy = {name: child.ready for name, child in state.children.items()}
    healthy["gateway"] = answers(f"{state.url}/healthz")
    healthy["pool"] = answers(f"http://127.0.0.1:{settings.pool_port}/-/healthz")
    return StackStatus(running=True, pid=pid, state=state, healthy=healthy)


def _children(settings: Settings) -> tuple[Child, ...]:
    spec_file = settings.run_dir / "pool.json"
    try:
        # Here, before gateway and worker would both migrate at the same time.
        spec = asyncio.run(_number(settings, pool_spec(settings)))
    except SQLAlchemyError as error:
        raise StackError(f"数据库 {settings.database} 不能打开或升级：{error}。") from error
    if spec.nodes == 1:
        check_placement(spec.deployments, spec.num_cpus, spec.num_gpus)
    state_file(spec_file).unlink(missing_ok=True)  # of the pool before; it has been read
    write_file(spec_file, spec.model_dump_json(indent=2))
    return stack_children(settings, spec, spec_file)


async def _number(settings: Settings, spec: PoolSpec) -> PoolSpec:
    async with open_engine(settings) as engine:
        return await numbered_spec(Versions(engine), settings.run_dir / "pool.json", spec)


def _up_detached(settings: Settings, on_event: OnEvent) -> None:
    log = ChildLog(settings.log_dir / "stack.log")
    with log.open() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "zhengwu.serving.stack"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment(settings)},
            start_new_session=True,
        )
    try:
        while True:
            code = process.poll()
            for fields in log.new_events():
                if fields["event"] == "error":
                    raise StackError(str(fields.get("message")))
                event = StackEvent.model_validate(fields)
                on_event(event)
                if event.event == "up":
                    return
            if code is not None:
                raise StackError(f"没有启动（退出状态 {code}）。日志末尾：\n{log.tail()}")
            time.sleep(0.1)
    except KeyboardInterrupt:
        down(settings)
        raise


def _read_state(settings: Settings) -> StackState | None:
    try:
        text = (settings.run_dir / "stack.json").read_text(encoding="utf-8")
        return StackState.model_validate_json(text)
    except (FileNotFoundError, ValidationError):
        return None


def main() -> int:
    """A detached stack: events as JSON lines on standard output."""
    try:
        supervise(read_settings(), lambda event: print(event.model_dump_json(), flush=True))
    except ZhengwuError as error:
        line = {"event": "error", "code": error.code, "message": str(error)}
        print(orjson.dumps(line).decode(), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
