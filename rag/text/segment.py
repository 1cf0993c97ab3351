"""Cut text into the terms of the full-text index: words in search mode, and character bigrams.

Bigrams find what the dictionary does not know. Knows nothing of scores or fields.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import rjieba

from zhengwu.rag.text.normalise import normalise

_RUN = re.compile(r"[0-9a-z\u3400-\u9fff〇]+")
_CHINESE = re.compile(r"[\u3400-\u9fff〇]+")


def terms(text: str) -> list[str]:
    """Every term of `text`, in order; bigrams start with `#`."""
    plain = normalise(text)
    return [*_words(plain), *_bigrams(plain)]


def query_terms(text: str) -> list[str]:
    """The distinct terms of a question, without the words that only ask."""
    plain = normalise(text)
    asking = question_words()
    words = [word for word in _words(plain) if word not in asking]
    kept = _asking_pattern().sub(" ", plain)
    return list(dict.fromkeys([*words, *_bigrams(kept)]))


@cache
def question_words() -> frozenset[str]:
    """Words that ask and do not name a subject."""
    text = files("zhengwu.rag").joinpath("data/question_words.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


@cache
def _asking_pattern() -> re.Pattern[str]:
    longest_first = sorted((w for w in question_words() if len(w) > 1), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, [*longest_first, "吗", "呢"])))


def _words(plain: str) -> Iterator[str]:
    for run in _RUN.findall(plain):
        yield from rjieba.cut_for_search(run, True)


def _bigrams(plain: str) -> Iterator[str]:
    for run in _CHINESE.findall(plain):
        yield from ("#" + run[at : at + 2] for at in range(len(run) - 1))
