"""Weights from ModelScope or Hugging Face. Knows their repositories; `download.py` knows HTTP."""

import asyncio
from pathlib import Path
from typing import Literal

from zhengwu.models.cards import HubSource, ModelCard, WeightFile
from zhengwu.models.errors import SourceFailed
from zhengwu.models.weights.digest import Tell, git_blob_of, mismatch, settle, sha256_of
from zhengwu.models.weights.download import Downloader, Unreachable
from zhengwu.models.weights.folder import Manifest, write_manifest
from zhengwu.models.weights.listing import (
    Listed,
    file_path,
    listing_path,
    parse_listing,
    revision_of,
)
from zhengwu.models.weights.source import Fetch
from zhengwu.models.weights.space import FreeBytes, free_bytes, require_space
from zhengwu.outbound import Outbound

HubName = Literal["modelscope", "huggingface"]
ENDPOINTS: dict[HubName, str] = {
    "modelscope": "https://www.modelscope.cn",
    "huggingface": "https://huggingface.co",
}
READ_TIMEOUT_S = 30.0


class Hub:
    """One hub. Remembers, for its own lifetime, that it cannot be reached."""

    def __init__(
        self,
        name: HubName,
        timeout_s: float,
        endpoint: str | None = None,
        free: FreeBytes = free_bytes,
    ) -> None:
        """`timeout_s` bounds the wait for an answer's headers, name look-up included."""
        self.name: str = name
        self._endpoint = (endpoint or ENDPOINTS[name]).rstrip("/")
        self._timeout_s = timeout_s
        self._free = free
        self._dead: str | None = None

    def offers(self, card: ModelCard) -> bool:
        """Whether the card names a repository on this hub."""
        return self._source(card) is not None

    def fetch(self, fetch: Fetch) -> None:
        """Download every missing file. Runs its own event loop: call it from a thread."""
        source = self._source(fetch.card)
        if source is None:
            raise SourceFailed(f"卡片没有登记 {self.name} 来源")
        if self._dead:
            raise SourceFailed(f"本次运行中已连不上：{self._dead}")
        try:
            asyncio.run(self._fetch(fetch, source))
        except Unreachable as error:
            self._dead = str(error)
            raise

    def _source(self, card: ModelCard) -> HubSource | None:
        hubs = (s for s in card.sources if isinstance(s, HubSource) and s.kind == self.name)
        return next(hubs, None)

    async def _fetch(self, fetch: Fetch, source: HubSource) -> None:
        async with Outbound("weights", 1, timeout_s=READ_TIMEOUT_S) as client:
            downloader = Downloader(client, self._timeout_s)
            if fetch.card.files:
                await self._files(downloader, fetch, source)
            else:
                await self._repository(downloader, fetch, source)

    async def _files(self, downloader: Downloader, fetch: Fetch, source: HubSource) -> None:
        """Download the files that the card lists, against the card's digests."""
        files = fetch.missing()
        held = sum(_size(fetch.part(file)) for file in files)
        require_space(fetch.folder, sum(f.bytes for f in files) - held, self._free)
        for file in files:
            url = self._endpoint + file_path(source, source.path or file.name)
            tell = self._teller(fetch, file.name, file.bytes)
            await downloader.file(url, fetch.part(file), file.bytes, tell)
            fetch.say("verifying", 0, file.bytes, f"核验 {file.name}")
            settle(fetch.part(file), fetch.target(file), file)

    async def _repository(self, downloader: Downloader, fetch: Fetch, source: HubSource) -> None:
        """Download a whole repository, against the digests that the hub itself lists."""
        answer = await downloader.json(self._endpoint + listing_path(source))
        listed = tuple(f for f in parse_listing(source, answer) if f.bytes)
        todo = [f for f in listed if not _is(fetch.folder / f.name, f)]
        held = sum(_size(fetch.folder / f"{f.name}.part") for f in todo)
        require_space(fetch.folder, sum(f.bytes for f in todo) - held, self._free)
        for file in todo:
            target = fetch.folder / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(target.name + ".part")
            tell = self._teller(fetch, file.name, file.bytes)
            url = self._endpoint + file_path(source, file.name)
            await downloader.file(url, part, file.bytes, tell)
            fetch.say("verifying", 0, file.bytes, f"核验 {file.name}")
            _check(part, target, file)
        files = tuple(
            WeightFile(
                name=f.name, bytes=f.bytes, sha256=f.sha256 or sha256_of(fetch.folder / f.name)
            )
            for f in listed
        )
        revision = revision_of(source)
        manifest = Manifest(hub=self.name, repo=source.repo, revision=revision, files=files)
        write_manifest(manifest, fetch.folder)

    def _teller(self, fetch: Fetch, name: str, total: int) -> Tell:
        return lambda done: fetch.say("downloading", done, total, f"{self.name}：{name}")


def _digest(path: Path, file: Listed) -> tuple[str, str]:
    """Return the expected and the found digest, in the form that the hub publishes."""
    if file.sha256:
        return file.sha256, sha256_of(path)
    return file.git_blob or "", git_blob_of(path)


def _is(path: Path, file: Listed) -> bool:
    if _size(path) != file.bytes:
        return False
    expected, found = _digest(path, file)
    return expected == found


def _check(part: Path, target: Path, file: Listed) -> None:
    expected, found = _digest(part, file)
    if expected != found:
        part.unlink()
        raise mismatch(target, expected, found, "已删除下载内容，请核对来源后重新拉取")
    part.replace(target)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
