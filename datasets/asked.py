"""The bank of spoken questions: what people ask, and the article of a national law that answers.

Written for this project by people who read the articles and saw no test; see `asked/README.md`.
Knows no index and no model.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from zhengwu.datasets.errors import AskedError

ASKED = Path(__file__).parent / "asked"
NATION = "中华人民共和国"


class AskedLine(BaseModel):
    """One line of a file of the bank."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    law: str
    version: str = ""
    """The date of the law's version, as in its file name; empty for a code of several parts."""
    article: str
    asked: tuple[str, ...] = ()
    not_answered: tuple[str, ...] = ()
    """Asked near this article, and answered neither by it nor by its law: for training a judge."""


Articles = Mapping[str, Sequence[str]]
"""Questions by article."""


@dataclass(frozen=True)
class AskedBank:
    """Questions by law and version, then by article."""

    laws: Mapping[tuple[str, str], Articles]

    def of(self, title: str, version: str) -> Articles:
        """Questions by article for a document of that title and version date.

        A document that does not tell its version is taken for the only one that the bank knows.
        """
        law = law_name(title)
        if not version:
            version = max((v for name, v in self.laws if name == law), default="")
        return self.laws.get((law, version), {})


def law_name(title: str) -> str:
    """The name by which a law is looked up: without the nation, or the part of a code."""
    return title.split(" ")[0].removeprefix(NATION)


@cache
def asked_bank() -> AskedBank:
    """The bank that ships."""
    return build_bank(read_asked(ASKED))


def build_bank(lines: Iterable[AskedLine]) -> AskedBank:
    """Put the questions of `lines` together by law, version and article."""
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for line in lines:
        articles = found.setdefault((law_name(line.law), line.version), {})
        articles.setdefault(line.article, []).extend(line.asked)
    return AskedBank(found)


def read_asked(folder: Path) -> Iterable[AskedLine]:
    """Every line of every file under `folder`.

    Raises:
        AskedError: a line is not what it must be; the message names file and line.
    """
    for path in sorted(folder.glob("*.jsonl")):
        for number, text in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if text.strip():
                yield _line(path, number, text)


def _line(path: Path, number: int, text: str) -> AskedLine:
    try:
        return AskedLine.model_validate(json.loads(text))
    except (json.JSONDecodeError, ValidationError) as error:
        raise AskedError(f"{path.name} 第 {number} 行不合格式：{error}") from error
