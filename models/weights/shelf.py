"""Weights from a local folder or mount: linked, not copied, after their digest was checked."""

import os
from pathlib import Path

from zhengwu.models.cards import ModelCard
from zhengwu.models.errors import SourceFailed
from zhengwu.models.weights.digest import mismatch, sha256_of
from zhengwu.models.weights.source import Fetch


class Shelf:
    """A folder that holds `<card name>/<file>` or `<file>`."""

    name = "folder"

    def __init__(self, folder: Path | None) -> None:
        """`folder` is `ZHENGWU_WEIGHT_FOLDER`, or None when there is none."""
        self._folder = folder

    def offers(self, card: ModelCard) -> bool:
        """Whether a folder is configured and the card lists files to look for."""
        return self._folder is not None and bool(card.files)

    def fetch(self, fetch: Fetch) -> None:
        """Link every missing file."""
        found = {file: self._find(fetch.card.name, file.name) for file in fetch.missing()}
        for file, path in found.items():
            fetch.say("verifying", 0, file.bytes, f"核验 {path}")
            digest = sha256_of(path)
            if digest != file.sha256:
                raise mismatch(path, file.sha256, digest, "请更换该目录中的文件，或清空该设置")
            _link(path, fetch.target(file))

    def _find(self, model: str, name: str) -> Path:
        if self._folder is None:
            raise SourceFailed("没有设置 ZHENGWU_WEIGHT_FOLDER")
        for path in (self._folder / model / name, self._folder / name):
            if path.is_file():
                return path.resolve()
        raise SourceFailed(f"{self._folder} 里没有 {model}/{name}")


def _link(path: Path, target: Path) -> None:
    part = target.with_name(target.name + ".link")
    part.unlink(missing_ok=True)
    try:
        os.link(path, part)
    except OSError:  # another file system, or one without hard links
        part.symlink_to(path)
    part.replace(target)
