"""What a hub says a repository holds: names, sizes and digests. Opens no connection.

Shapes: Hugging Face `GET /api/models/{repo}/tree/{revision}?recursive=true` lists
`{type, path, size, oid, lfs: {oid, size}}`, where `lfs.oid` is a SHA-256 and `oid` a git SHA-1;
ModelScope `GET /api/v1/models/{repo}/repo/files` lists `{Type, Path, Size, Sha256}`.
"""

from dataclasses import dataclass
from fnmatch import fnmatch
from urllib.parse import quote

from pydantic import BaseModel, Field, ValidationError

from zhengwu.models.cards import HubSource, inside
from zhengwu.models.errors import SourceFailed

BRANCH = {"modelscope": "master", "huggingface": "main"}
UNUSED = (
    "*.pth", "*.pt", "*.onnx*", "*.msgpack", "*.h5", "*.ot", "*.gguf", "*.png", "*.jpg", "*.jpeg",
    "*.webp", "*.gif", "*.pdf", "onnx/*", "openvino/*", "original/*", ".git*", "figures/*",
    "assets/*", "imgs/*",
)  # fmt: skip
"""Files of a repository that no engine here reads."""


@dataclass(frozen=True)
class Listed:
    """One file of a repository, with the digest that the hub publishes for it."""

    name: str
    bytes: int
    sha256: str | None
    git_blob: str | None = None


class _Lfs(BaseModel):
    oid: str
    size: int


class _Entry(BaseModel):
    type: str
    path: str
    size: int = 0
    oid: str | None = None
    lfs: _Lfs | None = None


class _MsFile(BaseModel):
    type: str = Field(alias="Type")
    path: str = Field(alias="Path")
    size: int = Field(alias="Size", default=0)
    sha256: str = Field(alias="Sha256", default="")


class _MsData(BaseModel):
    files: list[_MsFile] = Field(alias="Files")


class _MsAnswer(BaseModel):
    data: _MsData = Field(alias="Data")


class _HfAnswer(BaseModel):
    entries: list[_Entry]


def revision_of(source: HubSource) -> str:
    """Return the revision to ask for."""
    return source.revision or BRANCH[source.kind]


def listing_path(source: HubSource) -> str:
    """Return the path of the request that lists a repository."""
    revision = quote(revision_of(source), safe="")
    if source.kind == "modelscope":
        return f"/api/v1/models/{source.repo}/repo/files?Revision={revision}&Recursive=true"
    return f"/api/models/{source.repo}/tree/{revision}?recursive=true"


def file_path(source: HubSource, name: str) -> str:
    """Return the path of the request that downloads a file; both hubs use the same form."""
    prefix = "/models" if source.kind == "modelscope" else ""
    revision = quote(revision_of(source), safe="")
    return f"{prefix}/{source.repo}/resolve/{revision}/{quote(name)}"


def parse_listing(source: HubSource, answer: object) -> tuple[Listed, ...]:
    """Return the files an engine needs.

    Raises:
        SourceFailed: the answer has another shape, or a file without any digest.
    """
    try:
        listed = _modelscope(answer) if source.kind == "modelscope" else _huggingface(answer)
        kept = _needed(listed)
        for file in kept:
            inside(file.name)
    except (ValidationError, ValueError) as error:
        raise SourceFailed(f"{source.repo} 的文件清单无法识别：{error}") from error
    bare = [file.name for file in kept if not (file.sha256 or file.git_blob)]
    if bare or not kept:
        raise SourceFailed(f"{source.repo} 的文件清单没有摘要，无法核验：{'、'.join(bare[:3])}")
    return kept


def _modelscope(answer: object) -> list[Listed]:
    files = _MsAnswer.model_validate(answer).data.files
    return [Listed(f.path, f.size, f.sha256 or None) for f in files if f.type == "blob"]


def _huggingface(answer: object) -> list[Listed]:
    entries = _HfAnswer.model_validate({"entries": answer}).entries
    return [
        Listed(e.path, e.lfs.size, e.lfs.oid) if e.lfs else Listed(e.path, e.size, None, e.oid)
        for e in entries
        if e.type == "file"
    ]


def _needed(listed: list[Listed]) -> tuple[Listed, ...]:
    unused = UNUSED
    if any(file.name.endswith(".safetensors") for file in listed):
        unused = (*unused, "*.bin")
    return tuple(f for f in listed if not any(fnmatch(f.name, pattern) for pattern in unused))
