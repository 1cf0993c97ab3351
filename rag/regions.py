"""Regions as paths (`江苏省/泰州市`), found in text and compared.

The whole nation is the empty path. Upper regions' rules apply below them; a neighbour's never do.
Knows names only, no documents.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

NATION = ""

_SUFFIX = re.compile(
    r"(?:维吾尔自治区|壮族自治区|回族自治区|自治区|特别行政区|省|市|盟|地区|[\u4e00-\u9fff]{1,3}族自治州)$"
)
# Short names that are ordinary words or other things too: only the full name counts.
_FULL_ONLY = frozenset({"吉林市", "海南藏族自治州", "朝阳市", "中山市", "黄山市", "保山市"})


@dataclass(frozen=True)
class Gazetteer:
    """Names of regions and the path each stands for."""

    paths: dict[str, str]
    pattern: re.Pattern[str]

    def mentioned(self, text: str) -> list[str]:
        """The paths that `text` names, in order of first mention, each once."""
        return list(dict.fromkeys(self.paths[m.group()] for m in self.pattern.finditer(text)))

    def knows(self, path: str) -> bool:
        """Whether `path` is a region of the gazetteer, or the nation."""
        return path == NATION or path in self.paths.values()


def applies(rule: str, place: str) -> bool:
    """Whether a rule of region `rule` applies in `place`: it is the place or lies above it."""
    return rule == NATION or place == rule or place.startswith(f"{rule}/")


def related(one: str, other: str) -> bool:
    """Whether one of the two lies in the other."""
    return applies(one, other) or applies(other, one)


@cache
def gazetteer(extra: frozenset[str] = frozenset()) -> Gazetteer:
    """The regions of the nation, and `extra` paths such as a model city's."""
    text = files("zhengwu.rag").joinpath("data/regions.yaml").read_text(encoding="utf-8")
    paths: dict[str, str] = {}
    for province, cities in yaml.safe_load(text).items():
        paths |= _names(province, province)
        for city in cities:
            paths |= _names(city, f"{province}/{city}")
    for path in sorted(extra):
        names = path.split("/")
        for depth, name in enumerate(names, 1):
            paths.setdefault(name, "/".join(names[:depth]))
    longest_first = sorted(paths, key=len, reverse=True)
    return Gazetteer(paths, re.compile("|".join(map(re.escape, longest_first))))


def _names(name: str, path: str) -> dict[str, str]:
    short = _SUFFIX.sub("", name)
    names: Iterable[str] = {name} if name in _FULL_ONLY or len(short) < 2 else {name, short}
    return dict.fromkeys(names, path)
