"""Is a sentence backed by its evidence? Compared by code: quotation, numbers, names, polarity.

A sentence that fails is not shown. Knows no model and no database.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from zhengwu.rag.text.normalise import normalise, squash
from zhengwu.rag.text.numerals import to_int

_HAN = r"[〇零一二三四五六七八九十百千万亿两半]+"
_UNIT = (
    r"个?工作日|自然日|个月|个|年|月|日|天|号|时|小时|分钟|分|周|元|岁|倍|次|成"
    r"|份|名|人|户|条|款|项|%"
)
_PERCENT = re.compile(rf"百分之(?P<share>{_HAN}|\d+(?:\.\d+)?)")
_NUMBER = re.compile(
    rf"(?P<digits>\d+(?:\.\d+)?)(?P<scale>万亿|[万亿])?(?P<unit>{_UNIT})?"
    rf"|(?P<han>{_HAN})(?P<counted>{_UNIT})"
)
_SCALE = {"万": 10**4, "亿": 10**8, "万亿": 10**12}
_SAME_UNIT = {"天": "日", "号": "日", "个工作日": "工作日", "名": "人"}
_BOUND = re.compile(r"[不未]?(?:超过|少于|低于|高于|多于|满(?=[\d一二三四五六七八九十]))")
_NEUTRAL = re.compile(r"不动产|不同|不仅|不但|不论|不管|未成年|未来|免疫")
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
    strange = _strange(_numbers(said), _numbers(held))
    if strange:
        return Check(False, f"数字不在依据中：{'、'.join(sorted(strange))}")
    names = {name for name in _LATIN_NAME.findall(said) if name not in held and name not in asked}
    if names:
        return Check(False, f"名称不在依据中：{'、'.join(sorted(names))}")
    if _denies(said) != _denies(held) or _bounds(said) - _bounds(held):
        return Check(False, "肯定与否定和依据不一致")
    share = _share(_in_digits(said), _in_digits(held) + asked)
    if share < SUPPORT:
        return Check(False, f"与依据的重合度只有 {share:.2f}")
    return Check(True)


def _strange(said: set[tuple[str, str]], held: set[tuple[str, str]]) -> set[str]:
    """What is said and not held. Without its unit a number holds for any: “15至30日”, a cell."""
    values, bare = {value for value, _ in held}, {value for value, unit in held if not unit}
    return {
        value + unit
        for value, unit in said
        if (value, unit) not in held and value not in (bare if unit else values)
    }


def _numbers(text: str) -> set[tuple[str, str]]:
    """Every number with its unit: digits and Chinese numerals, 万 and 百分之 worked out."""
    return {_number(match) for match in _NUMBER.finditer(_percents(text))}


def _in_digits(text: str) -> str:
    """`text` with its numbers in one form, so that only words are compared."""
    return _NUMBER.sub(lambda match: "".join(_number(match)), _percents(text))


def _percents(text: str) -> str:
    return _PERCENT.sub(lambda match: f"{_value(match['share'])}%", text)


def _number(match: re.Match[str]) -> tuple[str, str]:
    unit = match["unit"] or match["counted"] or ""
    value = _value(match["han"]) if match["han"] else _scaled(match["digits"], match["scale"])
    return value, _SAME_UNIT.get(unit, unit)


def _scaled(digits: str, scale: str | None) -> str:
    number = Decimal(digits) * _SCALE.get(scale or "", 1)
    return f"{number.normalize():f}" if scale else digits


def _value(number: str) -> str:
    """A Chinese numeral as digits where it is a plain one."""
    try:
        return str(to_int(number))
    except ValueError:
        return number


def _denies(text: str) -> bool:
    return bool(_DENY.search(_NEUTRAL.sub("", _BOUND.sub("", text))))


def _bounds(text: str) -> set[str]:
    return {bound.replace("未", "不") for bound in _BOUND.findall(text)}


def _share(said: str, held: str) -> float:
    pairs = [run[n : n + 2] for run in _CHINESE.findall(said) for n in range(len(run) - 1)]
    return sum(pair in held for pair in pairs) / len(pairs) if pairs else 0.0
