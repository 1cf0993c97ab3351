"""Case files of question answering over documents: JSON Lines, checked before anything runs."""

import hashlib
import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from zhengwu.eval.errors import BadCases
from zhengwu.rag.text.normalise import squash

T = TypeVar("T", bound=BaseModel)


class Doc(BaseModel):
    """One document of a `--docs` file."""

    model_config = ConfigDict(frozen=True)
    docid: str
    text: str
    title: str = ""


class Case(BaseModel):
    """One question of a `--cases` file."""

    model_config = ConfigDict(frozen=True)
    id: str
    question: str
    docid: str
    answer: str


def read_docs(path: Path) -> list[Doc]:
    """Every document of a file.

    Raises:
        BadCases: the file is missing, or a line is not what it should be; the message names it.
    """
    return _read(path, TypeAdapter(Doc))


def read_cases(path: Path) -> list[Case]:
    """Every case of a file.

    Raises:
        BadCases: as for `read_docs`.
    """
    return _read(path, TypeAdapter(Case))


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def relevant(case: Case, docs: list[Doc]) -> frozenset[str]:
    """The ids of documents that answer: `docid`, or any whose text contains the answer.

    White space is ignored. An empty answer makes only `docid` relevant.
    """
    answer = squash(case.answer)
    same = {doc.docid for doc in docs if answer and answer in squash(doc.text)}
    return frozenset(same | {case.docid})


def _read(path: Path, adapter: TypeAdapter[T]) -> list[T]:
    if not path.is_file():
        raise BadCases(f"没有评测文件 {path}；请检查路径")
    found: list[T] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                found.append(adapter.validate_python(json.loads(line)))
            except (json.JSONDecodeError, ValidationError) as error:
                raise BadCases(f"{path} 第 {number} 行不合格式：{error}") from error
    if not found:
        raise BadCases(f"评测文件 {path} 是空的；每行应为一个 JSON 对象")
    return found
