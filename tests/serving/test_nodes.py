"""Two Ray nodes on one machine: accelerators are placed, one node dies under load, one is left."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.serving.load import Load, ask
from tests.serving.running import ROOT, Pool, free_port, ray_folder
from tests.serving.test_rollout import embedder

from zhengwu.serving.accelerators import placed_on
from zhengwu.serving.pool_state import NodeState
from zhengwu.serving.spec import DeploymentSpec, PoolSpec

pytestmark = pytest.mark.engine

NPUS = {"NPU": 8.0}
SLICES = {"mig-1g.10gb": 2.0}


def placed(model: str, accelerator: str, **fields: object) -> DeploymentSpec:
    row = embedder(model).model_dump(exclude={"placement_bundles", "whole_node", "engine_options"})
    return DeploymentSpec.model_validate(placed_on({**row, "accelerator": accelerator, **fields}))


@contextmanager
def node(pool: Pool, name: str, log: Path) -> Generator[subprocess.Popen[bytes]]:
    """A further node, its whole session killed at the end."""
    command = [sys.executable, "-m", "zhengwu.serving.node", f"--name={name}", "--num-cpus=1"]
    command += [f"--head=127.0.0.1:{pool.spec.ray_port}", "--host=127.0.0.1"]
    command += [f"--token-file={pool.spec.temp_dir / 'token'}", f"--resources={json.dumps(NPUS)}"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def find(pool: Pool, name: str) -> NodeState | None:
    return next((one for one in pool.state().nodes if one.name == name), None)


def there(pool: Pool, name: str) -> bool:
    found = find(pool, name)
    return found is not None and found.alive


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    spec = PoolSpec(
        deployments=(embedder(num_cpus=0.5, min_replicas=2, max_replicas=2),),
        http_port=free_port(),
        ray_port=free_port(),
        num_cpus=2,
        num_gpus=2,
        resources=SLICES,
        nodes=2,
        temp_dir=ray_folder(),
    )
    folder = tmp_path_factory.mktemp("nodes")
    with Pool(spec, folder) as running:
        running.until(lambda: any(e["event"] == "ray" for e in running.events()), 60)
        with node(running, "east", folder / "east.log") as first:
            running.wait_ready(120)
            running.east = first  # pyright: ignore[reportAttributeAccessIssue]
            yield running


def test_slices_and_npus_are_placed_where_they_are(pool: Pool) -> None:
    kept = embedder(num_cpus=0.5, min_replicas=2, max_replicas=2)
    sliced = placed("sliced", "nvidia-mig-1g.10gb", num_cpus=0.1)
    ascend = placed("ascend", "ascend-910b", num_cpus=0.1, tensor_parallel=4)
    ascend = ascend.model_copy(update={"engine_options": {}})
    bundles = tuple({**bundle, "CPU": 0.1} for bundle in ascend.placement_bundles)
    done = pool.change(kept, sliced, ascend.model_copy(update={"placement_bundles": bundles}))
    assert done.outcome == "done", done.message
    pool.until(lambda: pool.deployment("ascend").phase == "serving", 30)
    assert {r.node for r in pool.deployment("sliced").replicas} == {"head"}
    assert {r.node for r in pool.deployment("ascend").replicas} == {"east"}
    pool.until(lambda: (find(pool, "east") or pytest.fail()).free.get("NPU", 0) == 4, 20)
    head = find(pool, "head")
    assert head is not None and head.free["mig-1g.10gb"] == 1 and head.free["GPU"] == 1
    assert ask(pool.spec.http_port, "ascend") is None and ask(pool.spec.http_port, "sliced") is None

    refused = pool.change(kept, placed("big", "ascend-910b", num_cpus=0.1, tensor_parallel=16))
    assert "NPU 16" in refused.message and "head 余 CPU" in refused.message
    assert pool.change(kept).outcome == "done"
    assert [one.model for one in pool.state().deployments] == ["m"]


def test_a_node_dies_under_load_comes_back_and_is_left(pool: Pool, tmp_path: Path) -> None:
    port, m = pool.spec.http_port, embedder(num_cpus=0.5, min_replicas=2, max_replicas=2)
    pool.until(lambda: len({r.node for r in pool.deployment("m").replicas}) == 2, 30)
    with Load(port, "m") as load:
        kill(pool.east)  # pyright: ignore[reportAttributeAccessIssue]
        pool.until(lambda: not there(pool, "east"), 60)
        pool.until(lambda: pool.deployment("m").running == 2, 60)
    assert load.failures == [] and load.answered > 20

    with node(pool, "east", tmp_path / "log") as again:
        pool.until(lambda: there(pool, "east"), 150)
        # The head is filled, so that the next one goes to the other node; then it has room again.
        filler = embedder("filler", placement_bundles=[{"CPU": 0.8, "mig-1g.10gb": 1}])
        guest = embedder("guest", num_cpus=0.5)
        assert pool.change(m, filler).outcome == "done"
        assert pool.change(m, filler, guest).outcome == "done"
        pool.until(lambda: pool.deployment("guest").running == 1, 20)
        assert [r.node for r in pool.deployment("guest").replicas] == ["east"]
        refused = pool.change(drained_nodes=("east",))
        assert refused.outcome == "refused" and "guest" in refused.message
        assert pool.change(m, guest).outcome == "done"

        with Load(port, "guest") as load:
            state = pool.change(drained_nodes=("east",))
            assert state.outcome == "done", state.message
            pool.until(lambda: not there(pool, "east"), 90)
        assert load.failures == [] and load.answered > 5
        assert [r.node for r in pool.deployment("guest").replicas] == ["head"]
        assert again.wait(60) == 0, "a node that was left ends by itself"
    refused = pool.change(drained_nodes=("head",))
    assert refused.outcome == "refused" and "主节点" in refused.message
