"""Engines by name: each factory turns a `DeploymentSpec` into a Ray Serve application.

The one table of engines. An engine's libraries are imported when it is asked for.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

from zhengwu.serving.errors import EngineMissing
from zhengwu.serving.spec import DeploymentSpec, EngineName

if TYPE_CHECKING:
    from ray.serve import Application

Factory = Callable[[DeploymentSpec], "Application"]

ENGINES: Mapping[EngineName, tuple[str, str]] = {
    "llamacpp": ("zhengwu.serving.engines.llamacpp_on_ray", "embedded"),
    "embed": ("zhengwu.serving.engines.embed_on_ray", "embedded 或 torch"),
    "rerank": ("zhengwu.serving.engines.rerank_on_ray", "torch"),
    "vllm": ("zhengwu.serving.engines.vllm_on_ray", "vllm"),
}
"""Engine → the module whose `build(spec)` is its factory, and the extra that installs it."""


def build_application(spec: DeploymentSpec) -> "Application":
    """The Ray Serve application of one deployment.

    Raises:
        EngineMissing: the engine's libraries are not installed; names the extra.
    """
    module, extra = ENGINES[spec.engine]
    try:
        factory = cast(Factory, import_module(module).build)
        return factory(spec)
    except ImportError as error:
        raise EngineMissing(
            f"引擎 {spec.engine} 的依赖没有安装（{error.name}）。"
            f"请安装 zhengwu[{extra}] 后再启动 {spec.model}。"
        ) from error
