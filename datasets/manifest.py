"""The manifest of the starter set: files, digests, counts, licence, grade. Knows no laws."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from zhengwu.datasets.errors import StarterError
from zhengwu.datasets.starter import STARTER, Guide, Strict

NAME = "manifest.json"
LICENCE = "Apache-2.0"
NOTE = (
    "“示范省示范市”是虚构的样板城市。全部文本为本项目编写，不摘抄任何现行文件；"
    "金额、天数、地址、电话等地方性内容为示例，不得作为真实办事依据。"
)


class Entry(Strict):
    """One file."""

    id: str
    path: str
    """Relative to the starter folder, with forward slashes."""
    sha256: str
    bytes: int


class Manifest(Strict):
    """What the starter set consists of."""

    name: str = "zhengwu-starter"
    licence: str = LICENCE
    grade: int = 1
    """Data grade: 1 is public."""
    note: str = NOTE
    statuses_as_of: date
    """The day for which 现行有效, 尚未生效 and 已废止 were written."""
    counts: dict[str, dict[str, int]]
    digest: str
    """SHA-256 over the lines “sha256  path” of all files."""
    files: tuple[Entry, ...]


def build(guides: Sequence[Guide], statuses_as_of: date, folder: Path = STARTER) -> Manifest:
    """The manifest of the files as they are."""
    entries = tuple(
        Entry(
            id=guide.meta.id,
            path=guide.path.relative_to(folder).as_posix(),
            sha256=guide.digest,
            bytes=guide.path.stat().st_size,
        )
        for guide in guides
    )
    listing = "".join(f"{entry.sha256}  {entry.path}\n" for entry in entries)
    return Manifest(
        statuses_as_of=statuses_as_of,
        counts=count(guides),
        digest=sha256(listing.encode()).hexdigest(),
        files=entries,
    )


def count(guides: Sequence[Guide]) -> dict[str, dict[str, int]]:
    """Files by department, region, status and kind; and totals."""
    by = {
        "department": Counter(guide.meta.department for guide in guides),
        "region": Counter(guide.meta.region for guide in guides),
        "status": Counter(guide.meta.status for guide in guides),
        "kind": Counter(guide.meta.kind for guide in guides),
    }
    characters = sum(len("".join(guide.body.split())) for guide in guides)
    total = {"files": len(guides), "characters": characters, "departments": len(by["department"])}
    return {"total": total} | {key: dict(sorted(counter.items())) for key, counter in by.items()}


def write(manifest: Manifest, folder: Path = STARTER) -> Path:
    """Write the manifest beside the guides."""
    path = folder / NAME
    path.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return path


def read(folder: Path = STARTER) -> Manifest:
    """Read the manifest.

    Raises:
        StarterError: it is missing or wrong.
    """
    path = folder / NAME
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StarterError(
            f"缺少清单“{path}”，请运行 zhengwu data check --write-manifest 生成。"
        ) from error
    except ValidationError as error:
        raise StarterError(f"清单“{path}”格式有误，请重新生成：{error}") from error
