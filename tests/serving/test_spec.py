"""Deployments and profiles: what cannot be placed is refused before Ray starts."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.serving.running import ROOT

from zhengwu.serving.errors import PlacementError, SpecError
from zhengwu.serving.profile import load_profile, profile_names, read_profile
from zhengwu.serving.spec import DeploymentSpec, PoolSpec, check_placement
from zhengwu.settings import read_settings


def nowhere(name: str) -> Path | None:
    return Path("/nowhere") / name


def spec(model: str, **fields: object) -> DeploymentSpec:
    return DeploymentSpec.model_validate({"model": model, "engine": "llamacpp", **fields})


def test_every_shipped_profile_reads() -> None:
    assert profile_names() == ("embedded", "gpu")
    for name in profile_names():
        settings = read_settings(profile=name)
        found = load_profile(settings, nowhere)
        assert found[0].model == settings.chat_model
        assert all(one.weights == nowhere(one.model) for one in found)
        assert all(one.target_ongoing_requests <= one.max_ongoing_requests for one in found)


def test_the_embedded_profile_fits_one_core() -> None:
    check_placement(load_profile(read_settings(), nowhere), 1, 0)


def test_the_gpu_profile_is_refused_without_a_gpu_and_names_the_numbers() -> None:
    found = load_profile(read_settings(profile="gpu"), nowhere)
    with pytest.raises(PlacementError) as caught:
        check_placement(found, 64, 0)
    for part in ("需要 1 个 GPU", "bge-reranker-v2-m3 0.15", "只有 0 个", "embedded"):
        assert part in str(caught.value)


def test_cpus_are_summed_over_replicas_and_bundles() -> None:
    both = [
        spec("a", num_cpus=0.5, min_replicas=2, max_replicas=2),
        spec("b", placement_bundles=[{"CPU": 1}, {"CPU": 2}]),
    ]
    check_placement(both, 4, 0)
    with pytest.raises(PlacementError, match=r"需要 4 个 CPU（a 1，b 3），本机只有 3 个"):
        check_placement(both, 3, 0)


def test_a_replica_that_scales_to_zero_must_be_able_to_come_back() -> None:
    with pytest.raises(PlacementError):
        check_placement([spec("a", num_cpus=2, min_replicas=0)], 1, 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "a/b"},
        {"model": "a b"},
        {"engine": "gpt"},
        {"max_replicas": 0},
        {"min_replicas": 3},
        {"target_ongoing_requests": 9},
        {"max_queued_requests": -1},
        {"max_ongoing_request": 3},
    ],
    ids=str,
)
def test_wrong_fields_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DeploymentSpec.model_validate({"model": "a", "engine": "llamacpp", **fields})


def test_a_profile_error_names_profile_and_field() -> None:
    text = "deployments:\n  - {model: a, engine: llamacpp, num_cpus: 很多}\n"
    with pytest.raises(SpecError, match=r"我的.*num_cpus"):
        read_profile(text, read_settings(), nowhere, "我的")
    for broken in ("", "[", "deployments: 3", "deployments: [3]", "models: []"):
        with pytest.raises(SpecError):
            read_profile(broken, read_settings(), nowhere, "我的")


def test_a_pool_refuses_doubles_and_long_socket_paths() -> None:
    with pytest.raises(ValidationError, match="twice"):
        PoolSpec(deployments=(spec("a"), spec("a")), temp_dir=Path("/tmp/x"))
    with pytest.raises(ValidationError, match="40 bytes"):
        PoolSpec(deployments=(spec("a"),), temp_dir=Path("/tmp") / ("长" * 20))


def test_the_pool_process_refuses_before_ray_starts(tmp_path: Path) -> None:
    big = PoolSpec(
        deployments=(spec("a", num_cpus=1000),), num_cpus=2, temp_dir=Path("/tmp/zw-never")
    )
    (tmp_path / "pool.json").write_text(big.model_dump_json())
    done = subprocess.run(
        [sys.executable, "-m", "zhengwu.serving.pool", "--spec", str(tmp_path / "pool.json")],
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "1000" in done.stdout and '"placement"' in done.stdout
    assert not Path("/tmp/zw-never").exists()
