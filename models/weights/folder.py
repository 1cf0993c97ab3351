"""Where a model's weights lie on this machine. Knows cards and folders; fetches nothing."""

import importlib.util
import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from zhengwu.models.cards import InstalledSource, ModelCard, WeightFile
from zhengwu.models.errors import WeightsMissing
from zhengwu.settings import Settings

MANIFEST = "manifest.json"


class Manifest(BaseModel):
    """What a whole hub repository held when it was pulled, with its digests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hub: str
    repo: str
    revision: str
    files: tuple[WeightFile, ...]


def home(card: ModelCard, settings: Settings) -> Path:
    """Return the folder of the card's weights, whether it exists or not."""
    return settings.weights / card.name


def installed(card: ModelCard) -> Path | None:
    """Return the weight file inside an installed package; None if it is not installed.

    The package is found, not imported: importing would load the engine.
    """
    for source in card.sources:
        if isinstance(source, InstalledSource):
            package, _, inner = source.wheel.member.partition("/")
            spec = importlib.util.find_spec(package)
            for folder in (spec.submodule_search_locations or []) if spec else []:
                if (Path(folder) / inner).is_file():
                    return Path(folder) / inner
    return None


def install_hint(card: ModelCard) -> str | None:
    """Return the command that installs the card's package, if it lives in one."""
    for source in card.sources:
        if isinstance(source, InstalledSource):
            return f"pip install 'zhengwu[{source.extra}]'"
    return None


def read_manifest(card: ModelCard, settings: Settings) -> Manifest | None:
    """Return what a whole-repository pull recorded; None before it is complete."""
    try:
        text = (home(card, settings) / MANIFEST).read_text(encoding="utf-8")
        return Manifest.model_validate_json(text)
    except (FileNotFoundError, ValidationError):
        return None


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Record a complete pull, atomically: its presence means completeness."""
    path = folder / MANIFEST
    partial = path.with_name(path.name + ".part")
    text = json.dumps(manifest.model_dump(mode="json"), ensure_ascii=False, indent=1)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def expected(card: ModelCard, settings: Settings) -> tuple[WeightFile, ...]:
    """Return the files that make the weights: the card's own, or those of a recorded pull."""
    if card.files:
        return card.files
    manifest = read_manifest(card, settings)
    return manifest.files if manifest else ()


def locate(card: ModelCard, settings: Settings) -> Path:
    """Return the weight file (one-file models) or folder of `card`, complete by size.

    Digests were checked when the file was pulled; `verify` checks them again.

    Raises:
        WeightsMissing: they are not here; the message names the command that fetches them.
    """
    if not card.sources:
        raise WeightsMissing(f"模型“{card.name}”没有可下载的权重（{card.engine}），无需拉取")
    if hint := install_hint(card):
        if found := installed(card):
            return found
        raise WeightsMissing(f"模型“{card.name}”随软件包安装，本机没有，请执行 {hint}")
    files = expected(card, settings)
    folder = home(card, settings)
    missing = [f.name for f in files if not _whole(folder / f.name, f.bytes)]
    if missing or not files:
        raise WeightsMissing(
            f"模型“{card.name}”的权重不在 {folder}，请执行 zhengwu models pull {card.name}"
        )
    return folder / card.files[0].name if len(card.files) == 1 else folder


def _whole(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
