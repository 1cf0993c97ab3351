"""Downloads from hubs: resumed, checked, failing over, against a real server."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from zhengwu.models.cards import ModelCard
from zhengwu.models.errors import SourcesDown, WeightsDigest
from zhengwu.models.weights.folder import home, locate, read_manifest
from zhengwu.models.weights.hub import Hub
from zhengwu.models.weights.progress import Progress, silent
from zhengwu.models.weights.pull import Puller
from zhengwu.models.weights.verify import verify
from zhengwu.settings import Settings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ServeAside = Callable[[Handler], str]
MakeCard = Callable[..., ModelCard]


class Files:
    """A hub that serves files with ranges, and can break off after some bytes."""

    def __init__(self, files: dict[str, bytes], break_after: int | None = None) -> None:
        self.files = files
        self.break_after = break_after
        self.asked: list[tuple[str, str | None]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, request.headers.get("Range")))
        name = re.sub(r"^(/models)?/o/r/resolve/[^/]+/", "", request.path)
        if name not in self.files:
            return web.Response(status=404)
        data, start = self.files[name], 0
        if match := re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", "")):
            start = int(match[1])
        response = web.StreamResponse(status=206 if start else 200)
        response.content_length = len(data) - start
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        await response.prepare(request)
        if self.break_after is not None:
            end, self.break_after = start + self.break_after, None
            await response.write(data[start:end])
            assert request.transport
            request.transport.close()
            return response
        await response.write(data[start:])
        return response


def puller(settings: Settings, *hubs: Hub) -> Puller:
    return Puller(settings, hubs)


def test_one_file(
    settings: Settings, make_card: MakeCard, content: bytes, serve_aside: ServeAside
) -> None:
    seen: list[Progress] = []
    files = Files({"q/tiny.gguf": content})
    hub = Hub("modelscope", 5, serve_aside(files))
    path = puller(settings, hub).pull(make_card(), seen.append)
    assert path == settings.weights / "tiny" / "tiny.gguf" == locate(make_card(), settings)
    assert path.read_bytes() == content
    assert files.asked == [("/models/o/r/resolve/master/q/tiny.gguf", None)]
    assert [p.done for p in seen if p.stage == "downloading"][-1] == len(content)
    assert all(checked.ok for checked in verify(make_card(), settings))
    puller(settings, hub).pull(make_card())
    assert len(files.asked) == 1


def test_half_a_download_is_resumed_across_runs(
    settings: Settings, make_card: MakeCard, content: bytes, serve_aside: ServeAside
) -> None:
    folder = home(make_card(), settings)
    folder.mkdir(parents=True)
    (folder / "tiny.gguf.part").write_bytes(content[:100_000])
    files = Files({"q/tiny.gguf": content})
    puller(settings, Hub("huggingface", 5, serve_aside(files))).pull(make_card())
    assert files.asked == [("/o/r/resolve/main/q/tiny.gguf", "bytes=100000-")]
    assert locate(make_card(), settings).read_bytes() == content


def test_a_break_is_taken_up_on_the_same_hub(
    settings: Settings, make_card: MakeCard, content: bytes, serve_aside: ServeAside
) -> None:
    files = Files({"q/tiny.gguf": content}, break_after=50_000)
    puller(settings, Hub("huggingface", 5, serve_aside(files))).pull(make_card())
    assert [asked for _, asked in files.asked] == [None, "bytes=50000-"]
    assert locate(make_card(), settings).read_bytes() == content


def test_a_server_without_ranges_starts_over(
    settings: Settings, make_card: MakeCard, content: bytes, serve_aside: ServeAside
) -> None:
    async def whole(_: web.Request) -> web.Response:
        return web.Response(body=content)

    folder = home(make_card(), settings)
    folder.mkdir(parents=True)
    (folder / "tiny.gguf.part").write_bytes(b"x" * 1000)
    puller(settings, Hub("huggingface", 5, serve_aside(whole))).pull(make_card())
    assert locate(make_card(), settings).read_bytes() == content


@pytest.mark.parametrize("wrong", [b"x" * 300_000, b"short", b"x" * 400_000])
def test_a_wrong_digest_is_an_error_and_no_other_source_is_tried(
    settings: Settings, make_card: MakeCard, content: bytes, serve_aside: ServeAside, wrong: bytes
) -> None:
    good = Files({"q/tiny.gguf": content})
    hubs = (
        Hub("modelscope", 5, serve_aside(Files({"q/tiny.gguf": wrong}))),
        Hub("huggingface", 5, serve_aside(good)),
    )
    with pytest.raises(WeightsDigest) as caught:
        puller(settings, *hubs).pull(make_card())
    message = str(caught.value)
    assert "tiny.gguf" in message
    assert hashlib.sha256(content).hexdigest() in message
    assert len(re.findall(r"[0-9a-f]{64}", message)) == 2
    assert not good.asked
    assert not list(home(make_card(), settings).glob("tiny.gguf*"))


def test_failing_over_from_a_hub_that_lacks_it_or_shows_a_portal(
    settings: Settings, make_card: MakeCard, content: bytes, serve_aside: ServeAside
) -> None:
    async def portal(_: web.Request) -> web.Response:
        return web.Response(text="<html>请登录</html>", content_type="text/html")

    good = Hub("huggingface", 5, serve_aside(Files({"q/tiny.gguf": content})))
    for bad in (Files({}), portal):
        puller(settings, Hub("modelscope", 5, serve_aside(bad)), good).pull(make_card())
        locate(make_card(), settings).unlink()


def test_a_silent_hub_fails_over_quickly_and_is_remembered(
    settings: Settings, make_card: MakeCard, serve_aside: ServeAside
) -> None:
    asked = 0

    async def silent_hub(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        await asyncio.sleep(30)
        return web.Response()

    hub = Hub("modelscope", 0.3, serve_aside(silent_hub))
    dead = Hub("huggingface", 0.3, "http://127.0.0.1:9")
    both = puller(settings, hub, dead)
    with pytest.raises(SourcesDown):
        both.pull(make_card())
    with pytest.raises(SourcesDown) as caught:
        both.pull(make_card())
    assert asked == 1
    message = str(caught.value)
    assert "modelscope" in message
    assert "huggingface" in message
    assert "ZHENGWU_WEIGHT_FOLDER" in message


def repository(content: bytes) -> tuple[Files, Callable[[object], Handler]]:
    files = Files({"model.safetensors": content, "config.json": b"{}"})

    def hub(listing: object) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            if "/api/" in request.path:
                return web.json_response(listing)
            return await files(request)

        return answer

    return files, hub


def hf_listing(content: bytes) -> list[dict[str, object]]:
    blob = hashlib.sha1(b"blob 2\0{}").hexdigest()
    sha = hashlib.sha256(content).hexdigest()
    return [
        {"type": "file", "path": "config.json", "size": 2, "oid": blob},
        {"type": "file", "path": "model.safetensors", "size": len(content), "oid": "1",
         "lfs": {"oid": sha, "size": len(content)}},
    ]  # fmt: skip


def folder_card(make_card: MakeCard) -> ModelCard:
    sources = [{"kind": k, "repo": "o/r"} for k in ("modelscope", "huggingface")]
    return make_card(files=[], sources=sources, engine="vllm")


def test_a_whole_repository(
    settings: Settings, make_card: MakeCard, content: bytes, serve_aside: ServeAside
) -> None:
    card = folder_card(make_card)
    files, hub = repository(content)
    source = Hub("huggingface", 5, serve_aside(hub(hf_listing(content))))
    path = puller(settings, source).pull(card)
    assert path == settings.weights / "tiny"
    assert (path / "model.safetensors").read_bytes() == content
    manifest = read_manifest(card, settings)
    assert manifest
    assert (manifest.hub, manifest.repo) == ("huggingface", "o/r")
    assert all(checked.ok for checked in verify(card, settings))
    (path / "config.json").write_bytes(b"[]")
    assert [checked.ok for checked in verify(card, settings)] == [False, True]
    (path / "config.json").unlink()
    puller(settings, source).pull(card, silent)
    assert [name for name, _ in files.asked].count("/o/r/resolve/main/model.safetensors") == 1


@pytest.mark.parametrize("which", [0, 1])
def test_a_repository_whose_file_is_not_what_the_hub_lists(
    settings: Settings, make_card: MakeCard, content: bytes, serve_aside: ServeAside, which: int
) -> None:
    listing = hf_listing(content)
    if which:
        listing[1]["lfs"] = {"oid": "0" * 64, "size": len(content)}
    else:
        listing[0]["oid"] = "0" * 40
    _, hub = repository(content)
    card = folder_card(make_card)
    with pytest.raises(WeightsDigest):
        puller(settings, Hub("huggingface", 5, serve_aside(hub(listing)))).pull(card)
    assert read_manifest(card, settings) is None


def test_modelscope_lists_in_its_own_way(
    settings: Settings, make_card: MakeCard, content: bytes, serve_aside: ServeAside
) -> None:
    sha = hashlib.sha256(content).hexdigest()
    file = {"Type": "blob", "Path": "model.safetensors", "Size": len(content), "Sha256": sha}
    _, hub = repository(content)
    base = serve_aside(hub({"Code": 200, "Data": {"Files": [file]}}))
    path: Path = puller(settings, Hub("modelscope", 5, base)).pull(folder_card(make_card))
    assert (path / "model.safetensors").read_bytes() == content
