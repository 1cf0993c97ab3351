"""Names of persons in running text: what its characters, its neighbours and the words around say.

Each stretch that may be a name gets a score; the best that do not overlap are names. Chinese names
begin with a surname where a word begins; foreign ones are rows of characters used for sounds.
Knows no list of persons.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import rjieba
import yaml

from zhengwu.pii.finding import Finding

THRESHOLD = 0.9
FOREIGN_THRESHOLD = 1.5
MOST_CONTEXT = 8.0
"""No context is worth more than this: what is farther below is not looked at."""
WEAK = 4.0
RARE = 1.0
"""A character that is rare elsewhere is likely in a given name."""
_PLACE_ENDS = frozenset("镇村乡苑组冲湾塘坪坡庙庵祠嘴府湖溪桥岭屯寨街路巷园甸潭")
_TITLES = frozenset({"先生", "女士", "小姐", "老师", "老板", "总", "某", "某某", "氏", "家", "姓"})
_PLACE_AFTER = re.compile(
    r"[队城岛市州省县区镇乡村港湾河山湖路街桥站]|公[园司]|球场|商务区|森林|雨林|水岸|主场|客场"
    r"|集团|银行|大学|中学|小学|酒店|广场|俱乐部|联队|研究[会所院]|咨询|公爵|王国|舰"
)
_HAN = re.compile(r"[\u4e00-\u9fff]")
_ALL_HAN = re.compile(r"[\u4e00-\u9fff]+")
_LATIN_AFTER = re.compile(r"[（(][A-Za-z]")
_QUOTED = re.compile("[“《‘]$")
_DOTS = "·•・"


@dataclass(frozen=True)
class Lexicon:
    """The reviewed data: values of characters and the words that stand beside names."""

    surnames: Mapping[str, float]
    given: Mapping[str, float]
    foreign: Mapping[str, float]
    compound: frozenset[str]
    asked: re.Pattern[str]
    before: re.Pattern[str]
    after: re.Pattern[str]
    never: frozenset[str]
    titles: frozenset[str]
    """What follows a surname and is no given name."""
    sounds: re.Pattern[str]
    places: frozenset[str]


@cache
def lexicon() -> Lexicon:
    """The lexicon, read once."""
    folder = files("zhengwu.pii") / "data"
    signs = yaml.safe_load((folder / "name_characters.yaml").read_text(encoding="utf-8"))
    cues = yaml.safe_load((folder / "name_cues.yaml").read_text(encoding="utf-8"))
    foreign = _values(signs["foreign"])
    return Lexicon(
        surnames=_values(signs["surnames"]),
        given=_values(signs["given"]),
        foreign=foreign,
        compound=frozenset(signs["compound"]),
        asked=re.compile(f"(?:{'|'.join(cues['asked'])})[：:为是叫\\s]{{0,3}}$"),
        before=re.compile(f"(?:{'|'.join(cues['before'])})[、：:\\s“]?$"),
        after=re.compile(f"[（(）)\\s”]?(?:{'|'.join(cues['after'])})"),
        never=frozenset(cues["never"]),
        titles=_TITLES | {*cues["before"], *cues["after"]},
        sounds=_sounds(foreign),
        places=frozenset(cues["places"]),
    )


def _values(rows: Mapping[str, str]) -> dict[str, float]:
    return {sign: float(value) for value, signs in rows.items() for sign in str(signs)}


def _sounds(foreign: Mapping[str, float]) -> re.Pattern[str]:
    """Rows of characters used for sounds; parts after a dot may have others too."""
    signs = "".join(sign for sign, value in foreign.items() if value >= 1.5)
    return re.compile(f"[{signs}]{{2,7}}(?:[·•・][\u4e00-\u9fff]?[{signs}]{{1,7}})*")


@dataclass(frozen=True)
class _Scored:
    start: int
    end: int
    score: float


def names(text: str) -> Iterator[Finding]:
    """Every name in a plain text, in order, none overlapping."""
    if not _HAN.search(text):
        return
    known = lexicon()
    words = rjieba.cut(text, False)
    candidates = [*_chinese(text, words, known), *_foreign(text, known)]
    candidates.sort(key=lambda each: -each.score)
    taken = bytearray(len(text))
    found: list[Finding] = []
    for each in candidates:
        if not any(taken[each.start : each.end]):
            taken[each.start : each.end] = b"\1" * (each.end - each.start)
            found.append(Finding(each.start, each.end, "name"))
    yield from sorted(found, key=lambda finding: finding.start)


def _chinese(text: str, words: list[str], known: Lexicon) -> Iterator[_Scored]:
    at = 0
    for number, word in enumerate(words):
        first = word[0]
        value = known.surnames.get(first)
        compound = word[:2] in known.compound
        if (value is not None or compound) and (len(word) == 1 or _tag(word).startswith("nr")):
            lead = 2 if compound else 1
            value = 6.0 if compound else value or 0.0
            yield from _from(text, words, number, at, lead, value, known)
        at += len(word)


def _from(
    text: str, words: list[str], number: int, at: int, lead: int, value: float, known: Lexicon
) -> Iterator[_Scored]:
    """Names that begin at `at`: a surname of `lead` characters and one or two more."""
    ends = {at}
    place = at
    for word in words[number : number + 4]:
        place += len(word)
        ends.add(place)
    word = words[number]
    for size in (lead + 1, lead + 2):
        end = at + size
        name = text[at:end]
        if len(name) < size or not _ALL_HAN.fullmatch(name) or name[lead:] in known.titles:
            continue
        if size > lead + 1 and name[-1] in _PLACE_ENDS:
            continue
        given = [min(known.given.get(sign, RARE), 4.0) for sign in name[lead:]]
        score = 0.55 * value + (0.8 * given[0] if size == lead + 1 else 0.45 * sum(given)) - 3.4
        score += _wordness(words, number, at, end, ends, lead, value) + 0.9 * (size == lead + 2)
        if name in known.never or name[:2] in known.never:
            score -= 4.0
        if score + MOST_CONTEXT <= THRESHOLD:
            continue
        score += _context(text, at, end, known)
        if score > THRESHOLD and not _on_place(text, at, end, known):
            yield _Scored(at, end, score)


def _wordness(
    words: list[str], number: int, at: int, end: int, ends: set[int], lead: int, value: float
) -> float:
    """How the words of the dictionary lie to a name: words that are none speak against it."""
    word, size = words[number], end - at
    score = -2.5 * (end not in ends)  # a word goes over its end
    if len(word) > lead:
        person = _tag(word).startswith("nr")
        if len(word) == size:
            score += 1.0 if person else -4.0
        elif len(word) > size:
            score -= 3.0
        else:
            score += 0.3 if person else -3.0
    elif size == lead + 2 and number + 1 < len(words) and len(words[number + 1]) == 2:
        if value < WEAK and not _tag(words[number + 1]).startswith("nr"):
            score -= 2.5  # a word that is no surname before a word: 曾明确
    return score


@lru_cache(maxsize=50_000)
def _tag(word: str) -> str:
    """The part of speech of one word, empty where it is several."""
    tagged = rjieba.tag(word)
    return str(tagged[0][1]) if len(tagged) == 1 else ""


def _foreign(text: str, known: Lexicon) -> Iterator[_Scored]:
    for match in known.sounds.finditer(text):
        start, end = match.span()
        while text[end - 1] in _DOTS:
            end -= 1
        name = text[start:end]
        dotted = any(dot in name for dot in _DOTS)
        if end - start < 2 or name in known.never or name[:2] in known.never:
            continue
        if not dotted and (end - start < 3 or (name[0] in known.surnames and end - start <= 3)):
            if known.surnames.get(name[0], 0.0) > WEAK:
                continue
        score = _sounding(name, dotted, known)
        if score + MOST_CONTEXT <= FOREIGN_THRESHOLD:
            continue
        score += _context(text, start, end, known)
        if score > FOREIGN_THRESHOLD and not _on_place(text, start, end, known):
            yield _Scored(start, end, score)


def _sounding(name: str, dotted: bool, known: Lexicon) -> float:
    """How much a row of characters is a foreign name by itself."""
    values = [known.foreign.get(sign, -0.5) for sign in name if sign not in _DOTS]
    score = 0.7 * sum(values) / len(values) - 2.6 + 0.35 * min(len(name), 5)
    if dotted:
        return score + 2.5 * (len(name) > 3)
    tag = _tag(name)
    if tag:
        score += {"nr": 0.6, "nrt": 0.6}.get(tag, -3.0)
    return score - 1.5 * (len(name) > 6)


def _on_place(text: str, start: int, end: int, known: Lexicon) -> bool:
    """Whether a known place or body stands on part of [start, end)."""
    return any(
        text[at : at + size] in known.places
        for at in range(max(0, start - 3), end)
        for size in range(max(2, start - at + 1), 7)
    )


def _context(text: str, start: int, end: int, known: Lexicon) -> float:
    """What the words beside say."""
    left, right = text[max(0, start - 8) : start], text[end : end + 6]
    score = 0.0
    if known.asked.search(left):
        score += 3.0
    elif known.before.search(left):
        score += 2.2
    if known.after.match(right):
        score += 1.8
    if _PLACE_AFTER.match(right):
        score -= 3.0
    if _LATIN_AFTER.match(right):
        score += 2.0
    if _QUOTED.search(left) and right[:1] in ("”", "》", "’"):
        score -= 1.5
    if text.rfind("《", 0, start) > text.rfind("》", 0, start):
        score -= 2.0
    if not left or left[-1] in "，。、；：“（(《》” \n":
        score += 0.5
    if not right or right[0] in "，。、；：”（)）《 \n":
        score += 0.5
    return score
