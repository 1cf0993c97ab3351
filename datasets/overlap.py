"""How much of a text stands in another: shared character 5-grams over those of the smaller text."""

import re
import zlib
from collections.abc import Mapping
from itertools import combinations

N = 5
_HEADING = re.compile(r"^#.*$", re.M)
_DROPPED = re.compile(r"[\W_]+")


def grams(markdown: str) -> frozenset[int]:
    """Hashes of the 5-grams of a Markdown text without headings, punctuation and white space."""
    text = _DROPPED.sub("", _HEADING.sub("", markdown))
    return frozenset(
        zlib.crc32(text[i : i + N].encode("utf-8")) for i in range(max(0, len(text) - N + 1))
    )


def containment(one: frozenset[int], other: frozenset[int]) -> float:
    """Shared over smaller, from 0 to 1."""
    smaller = min(len(one), len(other))
    return len(one & other) / smaller if smaller else 0.0


def pairs(texts: Mapping[str, str]) -> list[tuple[float, str, str]]:
    """Every pair of texts with its containment, the most alike first."""
    sets = {name: grams(text) for name, text in texts.items()}
    found = [(containment(sets[a], sets[b]), a, b) for a, b in combinations(sets, 2)]
    return sorted(found, reverse=True)
