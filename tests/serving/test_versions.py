"""The history of deployments: numbers, what is live, and where a rollback goes."""

from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.serving.errors import SpecError
from zhengwu.serving.pool_state import (
    DeploymentState,
    PoolState,
    ReplicaState,
    state_file,
)
from zhengwu.serving.spec import DeploymentSpec, PoolSpec
from zhengwu.serving.versions import OPERATOR, PROFILE, Versions, numbered_spec


def spec(**fields: object) -> DeploymentSpec:
    return DeploymentSpec.model_validate({"model": "m", "engine": "embed", **fields})


async def deploy(versions: Versions, one: DeploymentSpec, refused: str | None = None) -> int:
    numbered = await versions.number(one, OPERATOR)
    await versions.settle(numbered, OPERATOR, refused)
    return numbered.version


async def states(versions: Versions) -> dict[int, str]:
    return {row.version: row.state for row in await versions.history("m")}


async def test_versions_count_up_and_rollback_goes_to_the_one_in_service_before(
    engine: AsyncEngine,
) -> None:
    versions = Versions(engine)
    with pytest.raises(SpecError, match="没有可回退"):
        await versions.before("m")
    assert await deploy(versions, spec()) == 1
    assert await deploy(versions, spec(num_cpus=2)) == 2
    assert await deploy(versions, spec(num_cpus=99), refused="放不下") == 3
    assert await deploy(versions, spec(num_cpus=3)) == 4
    assert await states(versions) == {1: "retired", 2: "retired", 3: "refused", 4: "live"}
    back = await versions.before("m")
    assert (back.version, back.num_cpus) == (2, 2)
    await versions.settle(back, OPERATOR)
    assert await states(versions) == {1: "retired", 2: "live", 3: "refused", 4: "retired"}
    assert (await versions.before("m")).version == 1
    await versions.settle(await versions.before("m"), OPERATOR, refused="放不下")
    assert (await versions.before("m")).version == 1
    assert (await versions.before("m", 4)).num_cpus == 3
    with pytest.raises(SpecError, match="版本 3.*曾在线的版本：4、1"):
        await versions.before("m", 3)
    assert await deploy(versions, spec(num_cpus=5)) == 5


async def test_other_numbers_are_the_same_version(engine: AsyncEngine) -> None:
    versions = Versions(engine)
    assert await deploy(versions, spec()) == 1
    assert await deploy(versions, spec(min_replicas=3, max_replicas=3)) == 1
    assert await deploy(versions, spec(min_replicas=9, max_replicas=9), refused="放不下") == 1
    assert await states(versions) == {1: "live"}
    (kept,) = await versions.kept()
    assert kept.max_replicas == 3, "numbers that were refused must not come back at a restart"


async def test_a_restart_keeps_what_operators_deployed_and_numbers_the_profile(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    versions, file = Versions(engine), tmp_path / "pool.json"
    profile = PoolSpec(
        deployments=(spec(), spec(model="n")), temp_dir=Path("/tmp/zw-x"), num_cpus=4
    )
    first = await numbered_spec(versions, file, profile)
    assert [(one.model, one.version) for one in first.deployments] == [("m", 1), ("n", 1)]
    running = tuple(
        DeploymentState(
            model=one.model,
            version=one.version,
            phase="serving",
            replicas=(ReplicaState(node="head", phase="RUNNING"),),
        )
        for one in first.deployments
    )
    file.write_text(first.model_dump_json())
    state = PoolState(revision=0, outcome="done", deployments=running, written=0)
    state_file(file).write_text(state.model_dump_json())

    assert (await numbered_spec(versions, file, profile)).deployments == first.deployments
    assert {row.state for row in await versions.history()} == {"live"}
    assert await deploy(versions, spec(num_cpus=2)) == 2
    kept = await numbered_spec(versions, file, profile)
    assert [(one.model, one.version, one.num_cpus) for one in kept.deployments] == [
        ("m", 2, 2.0),
        ("n", 1, 1.0),
    ]
    own = await versions.number(spec(), PROFILE)
    await versions.settle(own, PROFILE)
    assert own.version == 3
    after = await numbered_spec(versions, file, profile)
    assert after.deployments[0].version == 3 and after.deployments[0].num_cpus == 1
