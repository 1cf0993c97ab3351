"""Waits for the supervisor to die, then ends whatever of its stack is left.

`python -m zhengwu.serving.warden RUN_DIR`, with a pipe from the supervisor as standard input: the
kernel closes it however the supervisor ends. Knows only the mark that a stack's processes carry.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from zhengwu.serving.processes import end, marked

GRACE_S = 15.0
"""The pool needs a few seconds to end Ray's processes by itself."""


def start_warden(run_dir: Path) -> subprocess.Popen[bytes]:
    """Start the warden of the stack whose run files lie in `run_dir`."""
    return subprocess.Popen(
        [sys.executable, "-m", "zhengwu.serving.warden", str(run_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def main(run_dir: str) -> int:
    """Wait, then end what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1):
        pass
    end(marked(run_dir), GRACE_S)
    end(marked(run_dir), 0.0)  # what was started meanwhile
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
