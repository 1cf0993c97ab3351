"""`.venv-vllm`: the environment that tools/setup_vllm.sh makes, with the project as a wheel."""

import os
import subprocess
from pathlib import Path

from tests.needs import need
from tests.serving.running import ROOT

PYTHON = ROOT / ".venv-vllm" / "bin" / "python"


def python() -> str:
    """Its interpreter; without it the test skips, and fails in CI."""
    need(PYTHON.is_file(), "no .venv-vllm; run tools/setup_vllm.sh (TORCH_WHEELS)")
    return str(PYTHON)


def run(*arguments: str, folder: Path, seconds: float = 600) -> str:
    """Run that Python outside the checkout, and return what it prints."""
    done = subprocess.run(
        [python(), *arguments],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout
