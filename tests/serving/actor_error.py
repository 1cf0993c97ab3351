"""Run by test_vllm.py in the environment of the wheel: an error crosses a Ray actor as itself."""

import sys
import tempfile
from typing import Any, cast

import ray

import zhengwu
from zhengwu.errors import ZhengwuError
from zhengwu.serving.errors import EngineRefused, QueueFull


class Actor:
    def full(self) -> None:
        raise QueueFull("满了", 7)

    def refuse(self) -> None:
        raise EngineRefused("太长", 413, "too_large")


def main() -> None:
    assert zhengwu.__file__ is not None and "site-packages" in zhengwu.__file__
    folder = tempfile.mkdtemp(prefix="zw", dir="/tmp")
    ray.init(
        address="local", num_cpus=1, include_dashboard=False, object_store_memory=100 * 2**20,
        _temp_dir=folder, _node_ip_address="127.0.0.1", log_to_driver=False,
    )  # fmt: skip
    actor = cast(Any, ray.remote(num_cpus=0)(Actor)).remote()
    try:
        ray.get(actor.full.remote())
    except QueueFull as error:
        assert isinstance(error, ZhengwuError)
        print("QueueFull", error.retry_after_s, error.code)
    try:
        ray.get(actor.refuse.remote())
    except EngineRefused as error:
        print("EngineRefused", error.status, error.wire_code)
    ray.shutdown()


if __name__ == "__main__":
    sys.exit(main())
