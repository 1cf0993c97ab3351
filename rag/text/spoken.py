"""Spoken words and the official ones that statutes use for them: data for widening a question.

The groups are in `rag/data/terms_*.yaml`, kept by people. Knows no scores.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from zhengwu.rag.text.normalise import normalise


@dataclass(frozen=True)
class Thesaurus:
    """Spoken terms, and the official terms that each stands for."""

    official: dict[str, tuple[str, ...]]
    pattern: re.Pattern[str]

    def widen(self, text: str) -> list[str]:
        """The official terms for what `text` says, each once; those it already has left out."""
        plain = normalise(text)
        found = [word for m in self.pattern.finditer(plain) for word in self.official[m.group()]]
        return [word for word in dict.fromkeys(found) if word not in plain]


@cache
def thesaurus() -> Thesaurus:
    """All groups; longer spoken terms are matched before shorter ones inside them."""
    folder = files("zhengwu.rag").joinpath("data")
    official: dict[str, tuple[str, ...]] = {}
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.startswith("terms_"):
            for group in yaml.safe_load(file.read_text(encoding="utf-8")):
                for spoken in group["spoken"]:
                    name = normalise(str(spoken))
                    words = [str(word) for word in group["official"]]
                    official[name] = tuple(dict.fromkeys([*official.get(name, ()), *words]))
    longest_first = sorted(official, key=len, reverse=True)
    return Thesaurus(official, re.compile("|".join(map(re.escape, longest_first))))
