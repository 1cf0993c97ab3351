"""What hubs say of a repository becomes names, sizes and digests, or a refusal."""

import pytest

from zhengwu.models.cards import HubSource
from zhengwu.models.errors import SourceFailed
from zhengwu.models.weights.listing import Listed, file_path, listing_path, parse_listing

HF = HubSource(kind="huggingface", repo="o/r")
MS = HubSource(kind="modelscope", repo="o/r", revision="v 1")
SHA = "a" * 64


def test_requests() -> None:
    assert listing_path(HF) == "/api/models/o/r/tree/main?recursive=true"
    assert listing_path(MS) == "/api/v1/models/o/r/repo/files?Revision=v%201&Recursive=true"
    assert file_path(HF, "a b/c.bin") == "/o/r/resolve/main/a%20b/c.bin"
    assert file_path(MS, "c.bin") == "/models/o/r/resolve/v%201/c.bin"


def test_hugging_face() -> None:
    answer = [
        {"type": "directory", "path": "onnx", "oid": "1"},
        {"type": "file", "path": "model.safetensors", "size": 9, "oid": "2",
         "lfs": {"oid": SHA, "size": 9, "pointerSize": 130}},
        {"type": "file", "path": "pytorch_model.bin", "size": 9, "oid": "3",
         "lfs": {"oid": SHA, "size": 9}},
        {"type": "file", "path": "onnx/model.onnx", "size": 9, "oid": "4"},
        {"type": "file", "path": ".gitattributes", "size": 9, "oid": "5"},
        {"type": "file", "path": "config.json", "size": 2, "oid": "b" * 40},
    ]  # fmt: skip
    assert parse_listing(HF, answer) == (
        Listed("model.safetensors", 9, SHA),
        Listed("config.json", 2, None, "b" * 40),
    )


def test_modelscope() -> None:
    files = [
        {"Type": "tree", "Path": "x", "Size": 0},
        {"Type": "blob", "Path": "pytorch_model.bin", "Size": 9, "Sha256": SHA, "Name": "x"},
    ]
    assert parse_listing(MS, {"Code": 200, "Data": {"Files": files}}) == (
        Listed("pytorch_model.bin", 9, SHA),
    )


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        "x",
        [{"type": "file", "path": "a.bin", "size": 1}],
        [{"type": "file", "path": "../../etc/cron.d/x", "size": 1, "oid": "1"}],
        [{"type": "file", "path": "/etc/passwd", "size": 1, "oid": "1"}],
    ],
)
def test_a_listing_that_cannot_be_trusted(answer: object) -> None:
    with pytest.raises(SourceFailed):
        parse_listing(HF, answer)
