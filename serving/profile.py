"""Read a profile: reviewed YAML that says which models run where, made into `DeploymentSpec`s.

Knows the YAML and the settings it may point to; where weights lie is told by the caller.
"""

from importlib.resources import files
from typing import cast

import yaml
from pydantic import ValidationError

from zhengwu.serving.accelerators import placed_on
from zhengwu.serving.adapters import Locate, with_adapters
from zhengwu.serving.errors import SpecError
from zhengwu.serving.spec import DeploymentSpec
from zhengwu.settings import Settings


def profile_names() -> tuple[str, ...]:
    """Profiles that come with the product."""
    folder = files("zhengwu.serving") / "profiles"
    return tuple(sorted(p.name.removesuffix(".yaml") for p in folder.iterdir()))


def load_profile(settings: Settings, locate: Locate) -> tuple[DeploymentSpec, ...]:
    """The deployments of `settings.profile`, with settings and weights filled in.

    Raises:
        SpecError: the profile does not exist or a field is wrong; names it.
    """
    names = profile_names()
    if settings.profile not in names:
        raise SpecError(f"没有名为 {settings.profile} 的配置；可选：{'、'.join(names)}。")
    text = (files("zhengwu.serving") / "profiles" / f"{settings.profile}.yaml").read_text("utf-8")
    return read_profile(text, settings, locate, settings.profile)


def read_profile(
    text: str, settings: Settings, locate: Locate, name: str
) -> tuple[DeploymentSpec, ...]:
    """The deployments a profile's YAML text describes.

    Raises:
        SpecError: not YAML, or a field is wrong; names the profile and the field.
    """
    try:
        rows = cast(dict[str, list[dict[str, object]]], yaml.safe_load(text))["deployments"]
        return tuple(_deployment(row, settings, locate) for row in rows)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise SpecError(f"配置 {name} 有误，请改正：{'；'.join(lines)}。") from error
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise SpecError(f"配置 {name} 无法读取，请检查 YAML：{error}。") from error


def _deployment(row: dict[str, object], settings: Settings, locate: Locate) -> DeploymentSpec:
    model = str(row["model"])
    if model.startswith("@"):  # "@chat_model" is the setting of that name
        model = str(getattr(settings, model[1:]))
    placed = placed_on(with_adapters({**row, "model": model}, locate))
    fields = {**placed, "weights": locate(model)}
    return DeploymentSpec.model_validate(fields)
