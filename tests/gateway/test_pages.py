"""The page: a fresh nonce each time, cached assets, and only files that were built."""

import gzip
import re
from pathlib import Path

import pytest

from zhengwu.gateway.errors import PageNotBuilt
from zhengwu.gateway.pages import Pages


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text('<meta content="__CSP_NONCE__">')
    (tmp_path / "favicon.svg").write_text("<svg/>")
    (tmp_path / "assets" / "index-1.js").write_text("let a = 1;\n" * 500)
    return tmp_path


def test_every_page_has_its_own_nonce(dist: Path) -> None:
    pages = Pages(dist)
    first, second = pages.index(), pages.index()
    nonce = re.search(r"'nonce-([^']+)'", first.headers["content-security-policy"])
    assert nonce and first.body == f'<meta content="{nonce[1]}">'.encode()
    assert first.body != second.body
    policy = first.headers["content-security-policy"]
    assert "unsafe" not in policy and "http" not in policy
    assert first.headers["cache-control"] == "no-store"


def test_hashed_files_are_kept_for_ever_and_packed(dist: Path) -> None:
    pages = Pages(dist)
    packed = pages.file("assets/index-1.js", "gzip, br")
    plain = pages.file("assets/index-1.js", "")
    assert packed and plain
    assert packed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(bytes(packed.body)) == plain.body
    assert plain.headers["content-type"].startswith("text/javascript")


def test_files_without_a_hash_are_kept_for_an_hour(dist: Path) -> None:
    icon = Pages(dist).file("favicon.svg", "gzip")
    assert icon and icon.headers["cache-control"] == "public, max-age=3600"
    assert icon.headers["content-type"] == "image/svg+xml"


def test_nothing_else_is_served(dist: Path) -> None:
    pages = Pages(dist / "assets")
    assert pages.file("../favicon.svg", "") is None
    assert pages.file("index.html", "") is None


def test_a_page_that_was_never_built_says_how(tmp_path: Path) -> None:
    with pytest.raises(PageNotBuilt, match="make setup"):
        Pages(tmp_path / "none").index()
