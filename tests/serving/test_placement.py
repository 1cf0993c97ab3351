"""Bundles on nodes that are there: what fits, and what is missing when something does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.serving.accelerators import accelerators, placed_on
from zhengwu.serving.errors import PlacementError, SpecError
from zhengwu.serving.placement import NodeRoom, check_nodes
from zhengwu.serving.spec import DeploymentSpec

ASCEND = NodeRoom("昇腾一号", {"CPU": 64.0, "NPU": 8.0})
HEAD = NodeRoom("head", {"CPU": 8.0})


def spec(model: str = "m", **fields: object) -> DeploymentSpec:
    return DeploymentSpec.model_validate(placed_on({"model": model, "engine": "vllm", **fields}))


def test_every_accelerator_is_a_resource_of_its_own_with_a_source() -> None:
    found = accelerators()
    assert {"ascend-910b", "hygon-dcu", "kunlun-p800", "nvidia", "nvidia-mig-1g.10gb"} <= set(found)
    for one in found.values():
        assert all(url.startswith("https://") for url in one.source)
        made = spec(accelerator=one.name)
        assert made.accelerator_type is None
        domestic = one.name.split("-")[0] in ("ascend", "hygon", "kunlun")
        assert made.needs("GPU") == (0 if domestic else 1)


def test_tensor_parallel_is_one_device_a_worker_on_one_node() -> None:
    made = spec(accelerator="ascend-910b", tensor_parallel=4, num_cpus=8)
    assert [bundle["NPU"] for bundle in made.placement_bundles] == [1, 1, 1, 1]
    assert made.placement_strategy == "STRICT_PACK"
    assert made.engine_options["distributed_executor_backend"] == "ray"
    check_nodes([made], [HEAD, ASCEND])
    with pytest.raises(PlacementError, match="没有一个节点同时有|没有节点有"):
        check_nodes([made], [NodeRoom(name, {"CPU": 16.0, "NPU": 2.0}) for name in "ab"])


def test_pipeline_parallel_may_cross_nodes() -> None:
    made = spec(accelerator="ascend-910b", tensor_parallel=8, pipeline_parallel=2)
    assert len(made.placement_bundles) == 16 and made.placement_strategy == "PACK"
    check_nodes([made], [ASCEND, NodeRoom("昇腾二号", ASCEND.resources)])
    with pytest.raises(PlacementError):
        check_nodes([made], [HEAD, ASCEND])


def test_what_the_row_says_of_the_engine_wins() -> None:
    options = {"dtype": "float16", "max_num_batched_tokens": 4096}
    made = spec(accelerator="ascend-910b", engine_options=options, environment={"A": "1"})
    assert made.engine_options["dtype"] == "float16"
    assert made.environment["A"] == "1" and "HCCL_CONNECT_TIMEOUT" in made.environment


def test_cards_told_apart_by_the_node_are_taken_whole() -> None:
    node = NodeRoom("海光一号", {"CPU": 64.0, "DCU": 4.0})
    check_nodes([spec(accelerator="hygon-dcu", tensor_parallel=4)], [node])
    with pytest.raises(PlacementError, match="用满一个节点的 DCU"):
        check_nodes([spec(accelerator="hygon-dcu", tensor_parallel=2)], [node])
    with pytest.raises(PlacementError, match="没有节点有 DCU 8"):
        check_nodes([spec(accelerator="hygon-dcu", tensor_parallel=8)], [node])
    with pytest.raises(PlacementError, match="pipeline_parallel"):
        spec(accelerator="kunlun-p800", pipeline_parallel=2)


def test_a_slice_holds_one_model_and_slices_of_another_size_do_not_count() -> None:
    node = NodeRoom("切片", {"CPU": 8.0, "GPU": 7.0, "mig-1g.10gb": 7.0})
    check_nodes([spec(accelerator="nvidia-mig-1g.10gb", min_replicas=7, max_replicas=7)], [node])
    with pytest.raises(PlacementError, match=r"没有节点有 mig-3g\.40gb 1"):
        check_nodes([spec(accelerator="nvidia-mig-3g.40gb")], [node])
    with pytest.raises(PlacementError, match="不能跨切片"):
        spec(accelerator="nvidia-mig-1g.10gb", tensor_parallel=2)


def test_an_unknown_accelerator_names_the_choices() -> None:
    with pytest.raises(SpecError, match="ascend-910b"):
        spec(accelerator="Ascend910B")


def test_the_refusal_names_model_bundle_nodes_and_remedy() -> None:
    with pytest.raises(PlacementError) as caught:
        check_nodes([spec("qwen", accelerator="ascend-910b", num_cpus=2)], [HEAD])
    for part in ("qwen", "NPU 1", "CPU 2", "head 余", "zhengwu pool join"):
        assert part in str(caught.value)


def test_drained_models_take_no_room_and_sleeping_ones_do() -> None:
    check_nodes([spec(num_cpus=99, drained=True)], [HEAD])
    with pytest.raises(PlacementError):
        check_nodes([spec(num_cpus=99, min_replicas=0)], [HEAD])


@given(
    needs=st.lists(st.integers(1, 4), min_size=1, max_size=8),
    rooms=st.lists(st.integers(1, 8), min_size=1, max_size=4),
)
def test_what_is_accepted_never_exceeds_any_node(needs: list[int], rooms: list[int]) -> None:
    specs = [DeploymentSpec(model=f"m{i}", engine="embed", num_cpus=n) for i, n in enumerate(needs)]
    there = [NodeRoom(f"n{i}", {"CPU": float(room)}) for i, room in enumerate(rooms)]
    try:
        check_nodes(specs, there)
    except PlacementError:
        largest_first = sorted(needs, reverse=True)
        assert sum(needs) > sum(rooms) or largest_first[0] > max(rooms) or len(needs) > 1
    else:
        assert sum(needs) <= sum(rooms) and max(needs) <= max(rooms)
