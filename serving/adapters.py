"""LoRA adapters by name: where their files lie, and whether they are what their cards say.

Knows cards and deployments; which tenant may use an adapter is the gateway's to ask of the card.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from zhengwu.models.catalogue import Catalogue
from zhengwu.models.weights.digest import sha256_of
from zhengwu.serving.errors import SpecError
from zhengwu.serving.spec import DeploymentSpec

Locate = Callable[[str], Path | None]
"""Model name → its weight file or folder."""


def check_adapters(specs: Sequence[DeploymentSpec], catalogue: Catalogue) -> None:
    """Refuse an adapter whose card is for another model, or whose file is not the card's.

    Raises:
        SpecError: names the adapter, what is wrong and the remedy.
        UnknownModel: an adapter has no card.
    """
    for spec in specs:
        for one in spec.adapters:
            card = catalogue.get(one.name)
            if card.base != spec.model:
                of = f"属于 {card.base}" if card.base else "不是适配器"
                raise SpecError(f"{one.name} {of}，不能加载到 {spec.model}。请改正 adapters。")
            expected = card.files[0].sha256 if len(card.files) == 1 else None
            if expected and one.path.is_file() and sha256_of(one.path) != expected:
                raise SpecError(
                    f"适配器 {one.name} 的文件 {one.path} 与目录里的摘要不符，已拒绝加载。"
                    f"请运行 zhengwu models pull {one.name} 重新获取。"
                )


def with_adapters(row: Mapping[str, object], locate: Locate) -> dict[str, object]:
    """A deployment's fields; adapters that are only named get their files."""
    named = cast(Sequence[object], row.get("adapters") or ())
    found = [
        {"name": one, "path": _file(one, locate)} if isinstance(one, str) else one for one in named
    ]
    return {**row, "adapters": found} if found else dict(row)


def _file(name: str, locate: Locate) -> Path:
    path = locate(name)
    if path is None:
        raise SpecError(f"适配器 {name} 没有文件，请在目录卡片里写明来源。")
    return path
