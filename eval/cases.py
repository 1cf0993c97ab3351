"""Case files of question answering over documents: JSON Lines, checked before anything runs."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError

from zhengwu.eval.errors import BadCases
from zhengwu.rag.text.normalise import squash

T = TypeVar("T", bound=BaseModel)


def file_id(docid: str) -> str:
    """`docid`, or where no file could have that name a name made of it: the file becomes its id."""
    if re.fullmatch(r"[^./\\\s\x00-\x1f][^/\\\x00-\x1f]{0,99}", docid) and docid == docid.strip():
        if len(docid.encode()) <= 240:
            return docid
    plain = re.sub(r"[^\w-]", "_", docid)[:40]
    return f"{plain}~{hashlib.sha256(docid.encode()).hexdigest()[:12]}"


DocId = Annotated[str, AfterValidator(file_id)]


class Doc(BaseModel):
    """One document of a `--docs` file."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)
    docid: DocId
    text: str
    title: str = ""


class Case(BaseModel):
    """One question of a `--cases` file."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)
    id: str
    question: str
    docid: DocId
    answer: str


def read_docs(path: Path) -> list[Doc]:
    """Every document of a file.

    Raises:
        BadCases: the file is missing, a line is not what it should be, or two documents have one
            id; the message names it.
    """
    docs = list(dict.fromkeys(_read(path, TypeAdapter(Doc))))
    if twice := _twice([doc.docid for doc in docs]):
        raise BadCases(
            f"{path} 里 docid “{twice}”出现了不止一次而内容不同；每个文件的 docid 应不同"
        )
    return docs


def read_cases(path: Path) -> list[Case]:
    """Every case of a file.

    Raises:
        BadCases: as for `read_docs`.
    """
    return _read(path, TypeAdapter(Case))


def read_lines(path: Path, kind: type[T]) -> list[T]:
    """Every case of a file, each a line of `kind`.

    Raises:
        BadCases: as for `read_docs`.
    """
    return _read(path, TypeAdapter(kind))


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def folder_digest(folder: Path) -> str:
    """SHA-256 over the names and digests of all files in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{file_digest(path)}  {path.relative_to(folder)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _twice(ids: Sequence[str]) -> str | None:
    return next((one for one, count in Counter(ids).items() if count > 1), None)


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
    try:
        # Not splitlines(): a JSON string may hold other line separators, such as U+2028.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise BadCases(f"{path} 不是 UTF-8 文本；请转换编码后重试") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(adapter.validate_python(json.loads(line)))
            except (json.JSONDecodeError, ValidationError) as error:
                raise BadCases(f"{path} 第 {number} 行不合格式：{error}") from error
    if not found:
        raise BadCases(f"评测文件 {path} 是空的；每行应为一个 JSON 对象")
    return found
