"""A real supervisor over small real commands, run by test_stack.py as its own process.

Usage: python tiny_stack.py HOME PORT_A PORT_B [slow|broken]
"""

import sys
from pathlib import Path

from zhengwu.errors import ZhengwuError
from zhengwu.serving.children import Child, environment
from zhengwu.serving.ports import Port
from zhengwu.serving.supervisor import Supervisor
from zhengwu.settings import read_settings

SERVER = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1")
# A child with a child of its own, in another session, deaf to SIGTERM.
STUBBORN = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"
PARENT = (
    "import subprocess, sys; "
    f"subprocess.run([sys.executable, '-c', {STUBBORN!r}], start_new_session=True)"
)


def children(first: int, second: int, mode: str) -> tuple[Child, ...]:
    pool = (*SERVER, str(second))
    if mode == "slow":
        pool = (sys.executable, "-c", STUBBORN)
    if mode == "broken":
        pool = (sys.executable, "-c", "print('权重坏了'); raise SystemExit(2)")
    return (
        Child("gateway", (*SERVER, str(first)), (f"http://127.0.0.1:{first}/",), grace_s=2),
        Child("worker", (sys.executable, "-c", PARENT), grace_s=0.5),
        Child("pool", pool, (f"http://127.0.0.1:{second}/",), grace_s=1, fatal_status=2),
    )


def main() -> int:
    home, first, second = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    settings = read_settings(home=home, gateway_port=first, pool_port=second)
    try:
        Supervisor(
            run_dir=settings.run_dir,
            log_dir=settings.log_dir,
            children=children(first, second, sys.argv[4] if len(sys.argv) > 4 else ""),
            ports=(
                Port("127.0.0.1", first, "网关", "ZHENGWU_GATEWAY_PORT"),
                Port("127.0.0.1", second, "模型池", "ZHENGWU_POOL_PORT"),
            ),
            environment=environment(settings),
            url=f"http://127.0.0.1:{first}",
            on_event=lambda event: print(event.model_dump_json(), flush=True),
        ).run()
    except ZhengwuError as error:
        print(f"{error.code}: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
