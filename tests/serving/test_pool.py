"""The pool process: redeployed in place, and gone without a trace however it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.serving.conftest import weights
from tests.serving.running import EMBED, ROOT, Pool, free_port, ray_folder

from zhengwu.serving.processes import MARK, marked
from zhengwu.serving.spec import DeploymentSpec, PoolSpec

pytestmark = pytest.mark.engine


def embedder(model: str, num_cpus: float = 0.25) -> DeploymentSpec:
    return DeploymentSpec(model=model, engine="embed", weights=weights(EMBED), num_cpus=num_cpus)


def spec(*deployments: DeploymentSpec) -> PoolSpec:
    return PoolSpec(
        deployments=deployments,
        http_port=free_port(),
        ray_port=free_port(),
        num_cpus=1,
        temp_dir=ray_folder(),
    )


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Pool]:
    with Pool(spec(embedder("a"), embedder("b")), tmp_path) as running:
        running.wait_ready(120)
        yield running


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.2)


def happened(pool: Pool, name: str) -> bool:
    return any(event["event"] == name for event in pool.events())


def test_a_changed_profile_leaves_the_unchanged_models_alone(small: Pool, tmp_path: Path) -> None:
    kept = small.replica("a").pid
    fresh = small.spec.model_copy(update={"deployments": (embedder("a"), embedder("c"))})
    (tmp_path / "pool.json").write_text(fresh.model_dump_json())
    small.process.send_signal(signal.SIGHUP)
    until(lambda: happened(small, "redeployed"), 60)
    assert small.replica("a").pid == kept
    assert small.get("/c/health")[0] == 200
    until(lambda: small.get("/b/health")[0] == 404, 30)

    huge = small.spec.model_copy(update={"deployments": (embedder("a", 64),)})
    (tmp_path / "pool.json").write_text(huge.model_dump_json())
    small.process.send_signal(signal.SIGHUP)
    until(lambda: happened(small, "refused"), 30)
    assert small.get("/a/health")[0] == small.get("/c/health")[0] == 200

    everything = psutil.Process(small.process.pid).children(recursive=True)
    assert len(everything) > 6
    small.process.send_signal(signal.SIGTERM)
    assert small.process.wait(30) == 0
    assert happened(small, "stopped")
    assert not [process for process in everything if process.is_running()]


@pytest.mark.parametrize("while_starting", [True, False])
def test_the_pool_dies_with_a_killed_parent(tmp_path: Path, while_starting: bool) -> None:
    own = spec(embedder("a"))
    file, log = tmp_path / "pool.json", tmp_path / "log"
    file.write_text(own.model_dump_json())
    command = [sys.executable, "-m", "zhengwu.serving.pool", "--spec", str(file)]
    code = f"import subprocess; subprocess.run({command!r}, stdout=open({str(log)!r}, 'w'))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), MARK: str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment)
    word = '"ray"' if while_starting else '"ready"'
    until(lambda: log.exists() and word in log.read_text(), 120)
    everything = psutil.Process(parent.pid).children(recursive=True)
    assert len(everything) > 4
    parent.kill()
    parent.wait()
    until(lambda: not [p for p in everything if p.is_running()], 30)
    until(lambda: not marked(str(tmp_path)), 10)


def test_two_pools_never_share_a_folder(small: Pool, tmp_path: Path) -> None:
    second = spec(embedder("a")).model_copy(update={"temp_dir": small.spec.temp_dir})
    folder = tmp_path / "second"
    folder.mkdir()
    with Pool(second, folder) as refused:
        assert refused.process.wait(60) == 1
        assert "另一个模型池" in refused.events()[-1]["message"]
        assert small.get("/a/health")[0] == 200
        refused.spec = small.spec.model_copy(update={"temp_dir": folder})


def test_weights_that_are_not_a_model_fail_with_the_remedy(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 1000)
    bad = DeploymentSpec(model="bad", engine="llamacpp", weights=broken, num_cpus=0.5)
    with Pool(spec(bad), tmp_path) as running:
        assert running.process.wait(120) == 1
        failed = running.events()[-1]
    assert failed["event"] == "failed" and failed["code"] == "pool"
    assert "bad" in failed["message"] and "zhengwu models verify" in failed["message"]
