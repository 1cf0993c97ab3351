"""Regions as paths (`江苏省/泰州市`), found in text and compared.

The whole nation is the empty path. Upper regions' rules apply below them; a neighbour's never do.
Knows names only, no documents.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import rjieba
import yaml

NATION = ""

_SUFFIX = re.compile(
    r"(?:维吾尔自治区|壮族自治区|回族自治区|自治区|特别行政区|省|市|盟|地区|[\u4e00-\u9fff]{1,3}族自治州)$"
)
# Short names that are ordinary words or other things too: only the full name counts.
_FULL_ONLY = frozenset(
    {"吉林市", "海南藏族自治州", "朝阳市", "中山市", "黄山市", "保山市"}
    | {"白银市", "来宾市", "安康市", "日照市"}
)
_OTHER_WORDS = ("阿里巴巴", "阿里云", "三明治", "哈密瓜", "和田玉", "大同小异", "长治久安")


@dataclass(frozen=True)
class Gazetteer:
    """Names of regions and the path each stands for.

    Attributes:
        paths: Path by name; a name that stands for two places is left out.
        known: Every path.
        short: The names without 省, 市 and so on.
        pattern: Finds a name, or another word that only begins like one.
    """

    paths: dict[str, str]
    known: frozenset[str]
    short: frozenset[str]
    pattern: re.Pattern[str]

    def mentioned(self, text: str) -> list[str]:
        """The paths that `text` names, in order of first mention, each once.

        A short name counts only where a word begins: 延长春节 does not name 长春.
        """
        starts: set[int] | None = None
        found: dict[str, None] = {}
        for match in self.pattern.finditer(text):
            name = match.group()
            if name in self.short:
                starts = _word_starts(text) if starts is None else starts
                if match.start() not in starts:
                    continue
            if name in self.paths:
                found[self.paths[name]] = None
        return list(found)

    def knows(self, path: str) -> bool:
        """Whether `path` is a region of the gazetteer, or the nation."""
        return path == NATION or path in self.known


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
    short = frozenset(name for name, path in paths.items() if name != path.rpartition("/")[2])
    known, national = set(paths.values()), frozenset(paths)
    ambiguous: set[str] = set()
    for path in sorted(extra):
        names = path.split("/")
        for depth, name in enumerate(names, 1):
            upper = "/".join(names[:depth])
            known.add(upper)
            if paths.setdefault(name, upper) != upper and name not in national:
                ambiguous.add(name)
    for name in ambiguous:
        del paths[name]
    longest_first = sorted({*paths, *_OTHER_WORDS}, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    return Gazetteer(paths, frozenset(known), short, pattern)


def _names(name: str, path: str) -> dict[str, str]:
    short = _SUFFIX.sub("", name)
    names: Iterable[str] = {name} if name in _FULL_ONLY or len(short) < 2 else {name, short}
    return dict.fromkeys(names, path)


def _word_starts(text: str) -> set[int]:
    starts: set[int] = set()
    at = 0
    for word in rjieba.cut(text, True):
        starts.add(at)
        at += len(word)
    return starts
