"""Versions come and go under load and no request is lost; models sleep, wake, and are stopped."""

import asyncio
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.serving.conftest import weights
from tests.serving.load import Load, ask
from tests.serving.running import EMBED, Pool, free_port, ray_folder
from typer.testing import CliRunner

from zhengwu.cli.app import app
from zhengwu.db.home import open_engine
from zhengwu.serving.events import ChildState, StackState, write_state
from zhengwu.serving.spec import DeploymentSpec, PoolSpec
from zhengwu.serving.supervisor import hold_lock
from zhengwu.serving.versions import Versions, numbered_spec
from zhengwu.settings import read_settings

pytestmark = pytest.mark.engine


def embedder(model: str = "m", **fields: object) -> DeploymentSpec:
    own = {"model": model, "engine": "embed", "weights": weights(EMBED), "num_cpus": 0.25}
    return DeploymentSpec.model_validate({**own, **fields})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rollout")
    (folder / "run").mkdir()
    return folder


@pytest.fixture(scope="module")
def pool(home: Path) -> Iterator[Pool]:
    spec = PoolSpec(
        deployments=(embedder(),),
        http_port=free_port(),
        ray_port=free_port(),
        num_cpus=1,
        temp_dir=ray_folder(),
    )
    with Pool(spec, home / "run") as running:
        running.wait_ready(120)
        yield running


def test_versions_are_replaced_refused_and_rolled_back_without_a_lost_request(pool: Pool) -> None:
    port, first = pool.spec.http_port, pool.replica("m").pid
    with Load(port, "m") as load:
        done = pool.change(embedder(version=2, max_queued_requests=40))
        assert done.outcome == "done" and pool.deployment("m").version == 2
        second = pool.replica("m").pid
        assert second != first

        broken = embedder(version=3, engine_options={"backend": "sentence-transformers"})
        refused = pool.change(broken)
        assert refused.outcome == "refused"
        assert [(r.model, r.version) for r in refused.refusals] == [("m", 3)]
        assert "m" in refused.message and len(refused.message) > 20
        assert pool.deployment("m").version == 2 and pool.replica("m").pid == second

        pool.change(embedder(version=1))
        assert pool.deployment("m").version == 1
    assert load.failures == [] and load.answered > 20


def test_other_numbers_keep_the_replicas_that_run(pool: Pool) -> None:
    first = pool.replica("m").pid
    with Load(pool.spec.http_port, "m") as load:
        pool.change(embedder(min_replicas=2, max_replicas=2))
        pool.until(lambda: pool.deployment("m").running == 2, 30)
        assert first in [process.pid for process in pool.replicas("m")]
        pool.change(embedder())
        pool.until(lambda: len(pool.deployment("m").replicas) == 1, 30)
    assert load.failures == [] and load.answered > 5


def test_what_does_not_fit_is_refused_and_changes_nothing(pool: Pool) -> None:
    before = pool.replica("m").pid
    refused = pool.change(embedder("other"), embedder(min_replicas=9, max_replicas=9))
    assert [one.model for one in refused.refusals] == ["other", "m"]
    assert "CPU 0.25" in refused.message and "head" in refused.message
    npu = embedder("npu", placement_bundles=[{"CPU": 0.1, "NPU": 4}])
    assert "没有节点有 NPU 4" in pool.change(embedder(), npu).message
    assert [one.model for one in pool.state().deployments] == ["m"]
    assert pool.replica("m").pid == before and ask(pool.spec.http_port, "m") is None


def test_a_drained_model_says_so_and_comes_back(pool: Pool) -> None:
    pool.change(embedder(drained=True))
    assert pool.deployment("m").phase == "drained" and not pool.replicas("m")
    status, body = pool.get("/m/v1/models")
    assert status == 503 and body["error"]["code"] == "model_drained"
    pool.change(embedder())
    assert ask(pool.spec.http_port, "m") is None


def test_a_model_sleeps_and_the_first_requests_wake_it(pool: Pool) -> None:
    sleeper = embedder("z", min_replicas=0, downscale_delay_s=1, max_queued_requests=32)
    pool.change(embedder(), sleeper)
    pool.until(lambda: pool.deployment("z").phase == "asleep", 60)
    assert not pool.replicas("z")
    for _ in range(3):
        assert pool.get("/z/health") == (200, {"status": "asleep"})
        assert pool.get("/z/load")[1]["ongoing"] == 0
    assert not pool.replicas("z"), "a look at its health woke it"
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(ask, [pool.spec.http_port] * 16, ["z"] * 16))
    assert answers == [None] * 16
    pool.until(lambda: pool.deployment("z").phase == "serving", 10)
    pool.change(embedder())


def test_the_commands_do_it_and_keep_the_history(
    pool: Pool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.change(embedder(EMBED))
    pool.spec = pool.spec.model_copy(update={"deployments": (embedder(EMBED),)})
    children = {"pool": ChildState(pid=pool.process.pid, ready=True)}
    state = StackState(pid=os.getpid(), phase="up", started="", url="http://127.0.0.1:9")
    write_state(home / "run" / "stack.json", state.model_copy(update={"children": children}))
    monkeypatch.setenv("ZHENGWU_HOME", str(home))
    monkeypatch.setenv("ZHENGWU_POOL_PORT", str(pool.spec.http_port))

    async def began() -> None:  # as `zhengwu up` does
        async with open_engine(read_settings()) as engine:
            await numbered_spec(Versions(engine), home / "run" / "pool.json", pool.spec)

    asyncio.run(began())

    def zhengwu(*words: str) -> dict[str, Any]:
        done = CliRunner().invoke(app, ["pool", *words, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def refused(*words: str) -> str:
        done = CliRunner().invoke(app, ["pool", *words, "--json"])
        assert done.exit_code == 1
        return json.loads(done.stderr)["error"]["message"]

    with hold_lock(home / "run"), Load(pool.spec.http_port, EMBED) as load:
        (shown,) = zhengwu("status")["deployments"]
        assert (shown["phase"], shown["running"], shown["on_nodes"]) == ("serving", 1, {"head": 1})
        assert shown["healthy"] and shown["queue_limit"] == 16 and shown["occupancy"] is not None
        zhengwu("deploy", EMBED, "--set", "max_queued_requests=24")
        assert zhengwu("status")["deployments"][0]["version"] == 2
        zhengwu("scale", EMBED, "--replicas", "2")
        assert "没有节点" in refused("scale", EMBED, "--replicas", "50")
        assert "没有完成" in refused("deploy", EMBED, "--set", "engine_options={backend: none}")
        assert "版本" in refused("rollback", EMBED, "--to", "7")
        assert zhengwu("rollback", EMBED)["deployments"][0]["version"] == 1
        assert "head" in refused("drain", "west") and "主节点" in refused("drain", "head")
    assert load.failures == [] and load.answered > 10
    found = [(row["version"], row["state"]) for row in zhengwu("history")["versions"]]
    assert found == [(3, "refused"), (2, "retired"), (1, "live")]
