"""Is a sentence backed by its evidence? Compared by code: quotation, numbers, names, polarity.

A sentence that fails is not shown. Knows no model and no database.
"""

import re
from dataclasses import dataclass

from zhengwu.rag.text.normalise import normalise, squash
from zhengwu.rag.text.numerals import to_int

_NUMBER = re.compile(
    r"\d+(?:\.\d+)?%?|[一二三四五六七八九十百千万亿两半]+(?=[个年月日天时分元岁周次倍成份名人户%])"
)
_DENY = re.compile(r"不得|不能|不可|不予|不应|不准|禁止|无权|无须|不需要|不用|不收|免|没有|未|不")
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")
_LATIN_NAME = re.compile(r"[A-Za-z]{2,}|《[^》]+》")
SUPPORT = 0.6
"""The share of a sentence's character bigrams that must stand in its evidence or the question."""


@dataclass(frozen=True)
class Check:
    """Whether a sentence may be shown, and if not, why."""

    passed: bool
    reason: str = ""


def quoted(quote: str, clause_text: str) -> bool:
    """Whether `quote` stands character by character in the stored clause, white space ignored."""
    return bool(squash(quote)) and squash(quote) in squash(clause_text)


def supported(sentence: str, evidence: str, question: str) -> Check:
    """Whether a phrased sentence says only what its evidence says."""
    said, held = normalise(sentence), normalise(evidence)
    asked = normalise(question)
    strange = _numbers(said) - _numbers(held)
    if strange:
        return Check(False, f"数字不在依据中：{'、'.join(sorted(strange))}")
    names = {name for name in _LATIN_NAME.findall(said) if name not in held and name not in asked}
    if names:
        return Check(False, f"名称不在依据中：{'、'.join(sorted(names))}")
    if bool(_DENY.search(said)) != bool(_DENY.search(held)):
        return Check(False, "肯定与否定和依据不一致")
    share = _share(said, held + asked)
    if share < SUPPORT:
        return Check(False, f"与依据的重合度只有 {share:.2f}")
    return Check(True)


def _numbers(text: str) -> set[str]:
    return {_plain(number) for number in _NUMBER.findall(text)}


def _plain(number: str) -> str:
    """Digits as they are; a Chinese numeral as digits where it is a plain one."""
    if number[0].isdigit():
        return number
    try:
        return str(to_int(number.replace("两", "二")))
    except ValueError:
        return number


def _share(said: str, held: str) -> float:
    pairs = [run[n : n + 2] for run in _CHINESE.findall(said) for n in range(len(run) - 1)]
    return sum(pair in held for pair in pairs) / len(pairs) if pairs else 0.0
