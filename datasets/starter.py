"""The starter knowledge: guides and policies of a model city, written for this project.

Knows the form of one file; `check.py` knows what the files must be together.
"""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from zhengwu.datasets.errors import StarterError
from zhengwu.datasets.parse import ParsedDocument
from zhengwu.datasets.parse.markdown import front_matter, read_markdown

STARTER = Path(__file__).parent / "starter"
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,12}-\d{3}$")]


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt key must not lose a fact."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Basis(Strict):
    """The article of a law that a guide rests on."""

    law: Text
    """Official title, without brackets."""
    article: Annotated[
        str,
        StringConstraints(
            pattern=r"^第[零一二三四五六七八九十百千]+条(之[一二三四五六七八九十]+)?$"
        ),
    ]


class GuideMeta(Strict):
    """The front matter of a starter file."""

    id: Id
    title: Text
    kind: Literal["办事指南", "政策文件"]
    department: Text
    item: Text
    audience: tuple[Text, ...]
    region: Annotated[str, StringConstraints(pattern=r"^示范省(/示范市(/[\u4e00-\u9fff]{2,6})?)?$")]
    issued: date
    effective_from: date
    effective_to: date | None
    status: Literal["现行有效", "已废止", "尚未生效"]
    replaced_by: Id | None = None
    document_number: Text | None
    basis: tuple[Basis, ...]
    uncertain: tuple[Text, ...]
    model_city_facts: tuple[Text, ...]


@dataclass(frozen=True)
class Guide:
    """One starter file."""

    meta: GuideMeta
    document: ParsedDocument
    body: str
    """The Markdown below the front matter."""
    path: Path
    digest: str
    """SHA-256 of the file's bytes."""


def load_guide(path: Path) -> Guide:
    """Read one starter file.

    Raises:
        StarterError: the front matter lacks a key, has one too many, or a value is wrong.
        ParseError: the YAML cannot be read.
    """
    data = path.read_bytes()
    text = data.decode("utf-8")
    fields, body = front_matter(text, path.name)
    try:
        meta = GuideMeta.model_validate(fields)
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc']))}：{e['msg']}" for e in error.errors()]
        raise StarterError(f"“{path.name}”的头部有误，请改正：\n" + "\n".join(lines)) from error
    return Guide(meta, read_markdown(text, path.name), body, path, sha256(data).hexdigest())


def guide_files(folder: Path = STARTER) -> list[Path]:
    """The starter files, in the order of their paths."""
    return sorted((folder / "guides").rglob("*.md"))


def load_guides(folder: Path = STARTER) -> tuple[Guide, ...]:
    """Read every starter file.

    Raises:
        StarterError: the folder holds none, or one is wrong.
    """
    files = guide_files(folder)
    if not files:
        raise StarterError(f"“{folder / 'guides'}”中没有指南文件，请检查路径。")
    return tuple(load_guide(path) for path in files)
