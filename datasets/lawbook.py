"""Which articles the laws of a folder have, so that a cited basis can be looked up.

Of several versions of a law the newest counts; the parts of a code (民法典) count together.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zhengwu.datasets.numerals import NUMERAL, to_int
from zhengwu.datasets.parse import ParsedDocument, parse
from zhengwu.datasets.parse.marks import ARTICLE

Resolution = Literal["resolved", "law_not_there", "unresolved"]
NATION = "中华人民共和国"
_ARTICLE = re.compile(rf"第(?P<number>{NUMERAL}+)条(?:之(?P<sub>[一二三四五六七八九十]+))?")
_INSIDE = re.compile(rf"。\s*(?=第{NUMERAL}+条\s)")
Number = tuple[int, int]
"""Article and, for 之一, its second number."""


@dataclass(frozen=True)
class LawBook:
    """Articles by law, the nation's name left off the titles."""

    laws: dict[str, frozenset[Number]]

    def resolve(self, law: str, article: str) -> Resolution:
        """Whether the law is here and has the article."""
        articles = self.laws.get(law.removeprefix(NATION))
        if articles is None:
            return "law_not_there"
        return "resolved" if _number(article) in articles else "unresolved"


def read_laws(folder: Path) -> LawBook:
    """Read every Markdown law under a folder."""
    versions: dict[str, dict[str, set[Number]]] = {}
    for path in sorted(folder.rglob("*.md")):
        document = parse(path)
        law = document.title.split(" ")[0].removeprefix(NATION)
        dated = versions.setdefault(law, {})
        dated.setdefault(document.meta.get("version_date", ""), set()).update(_articles(document))
    newest = {law: frozenset(dated[max(dated)]) for law, dated in versions.items()}
    return LawBook(newest)


def _articles(document: ParsedDocument) -> Iterable[Number]:
    for block in document.blocks:
        for part in _INSIDE.split(block.text):
            if ARTICLE.match(part):
                number = _number(part)
                if number:
                    yield number


def _number(text: str) -> Number | None:
    found = _ARTICLE.search(text)
    if not found:
        return None
    return to_int(found["number"]), to_int(found["sub"]) if found["sub"] else 0
