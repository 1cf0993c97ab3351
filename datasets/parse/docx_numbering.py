"""The numbers Word draws before paragraphs but does not store in their text.

Knows numbering.xml and its counters; knows nothing of headings or articles.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import cast

from docx.document import Document
from docx.opc.part import XmlPart
from docx.oxml.ns import qn

from zhengwu.datasets.numerals import to_chinese
from zhengwu.datasets.parse.xml import Element

CHINESE = {
    "chineseCounting", "chineseCountingThousand", "japaneseCounting", "ideographDigital",
    "taiwaneseCounting", "taiwaneseCountingThousand", "chineseLegalSimplified",
    "koreanCounting", "japaneseDigitalTenThousand",
}  # fmt: skip
CIRCLED = {"decimalEnclosedCircle", "decimalEnclosedCircleChinese"}
SILENT = {"bullet", "none"}


@dataclass(frozen=True)
class Level:
    """How one level of a list is drawn: `第%1条`, `（%1）` or `%1.`, and so on."""

    form: str
    text: str
    start: int


def _value(parent: Element | None, tag: str) -> str | None:
    child = parent.find(qn(tag)) if parent is not None else None
    return child.get(qn("w:val")) if child is not None else None


def _int(value: str | None, default: int = 0) -> int:
    return int(value) if value and value.lstrip("-").isdigit() else default


def draw(number: int, form: str) -> str:
    """A counter in one of Word's formats; formats not used in Chinese documents as digits."""
    if form in CHINESE and number >= 0:
        return to_chinese(number)
    if form in CIRCLED and 1 <= number <= 20:
        return chr(0x2460 + number - 1)
    if form in {"lowerLetter", "upperLetter"} and 1 <= number <= 26:
        return chr((97 if form == "lowerLetter" else 65) + number - 1)
    if form == "decimalFullWidth":
        return "".join(chr(ord(c) + 0xFEE0) for c in str(number))
    if form in {"lowerRoman", "upperRoman"} and 1 <= number <= 39:
        roman = (
            "x" * (number // 10)
            + ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")[number % 10]
        )
        return roman.upper() if form == "upperRoman" else roman
    return str(number)


class Numbering:
    """Counters of one document; ask for each paragraph once, in order."""

    def __init__(self, document: Document) -> None:
        self._levels: dict[tuple[str, int], Level] = {}
        self._abstract: dict[str, str] = {}
        self._counts: dict[str, list[int]] = defaultdict(list)
        self._styles = {s.style_id: s.element for s in document.styles}
        for rel in document.part.rels.values():
            if rel.reltype.endswith("/numbering") and not rel.is_external:
                self._read(cast(XmlPart, rel.target_part).element)

    def _read(self, root: Element) -> None:
        levels: dict[str, dict[int, Level]] = {}
        for abstract in root.findall(qn("w:abstractNum")):
            key = abstract.get(qn("w:abstractNumId")) or ""
            levels[key] = {
                _int(level.get(qn("w:ilvl"))): Level(
                    _value(level, "w:numFmt") or "decimal",
                    _value(level, "w:lvlText") or "",
                    _int(_value(level, "w:start"), 1),
                )
                for level in abstract.findall(qn("w:lvl"))
            }
        for num in root.findall(qn("w:num")):
            num_id = num.get(qn("w:numId")) or ""
            self._abstract[num_id] = _value(num, "w:abstractNumId") or ""
            for depth, level in levels.get(self._abstract[num_id], {}).items():
                self._levels[num_id, depth] = level
            for override in num.findall(qn("w:lvlOverride")):
                depth = _int(override.get(qn("w:ilvl")))
                start = _value(override, "w:startOverride")
                level = self._levels.get((num_id, depth))
                if level and start:
                    self._levels[num_id, depth] = Level(level.form, level.text, _int(start, 1))
                    self._abstract[num_id] = f"own-{num_id}"

    def prefix(self, paragraph: Element) -> str:
        """The number drawn before this paragraph, "" when there is none."""
        num_id, depth = self._place(paragraph)
        level = self._levels.get((num_id, depth))
        if level is None or num_id == "0":
            return ""
        counts = self._counts[self._abstract[num_id]]
        while len(counts) <= depth:
            above = self._levels.get((num_id, len(counts)))
            counts.append((above.start if above else 1) - 1)
        del counts[depth + 1 :]
        counts[depth] += 1
        if level.form in SILENT:
            return ""
        text = level.text
        for index in range(depth + 1):
            form = self._levels.get((num_id, index), level).form
            shown = max(counts[index], 1) if index < depth else counts[index]
            text = text.replace(f"%{index + 1}", draw(shown, form))
        return text

    def _place(self, paragraph: Element) -> tuple[str, int]:
        """List and level, from the paragraph or else from its style and what that is based on."""
        properties = paragraph.find(qn("w:pPr"))
        style_id = _value(properties, "w:pStyle")
        depth: str | None = None
        for _ in range(12):
            numbered = properties.find(qn("w:numPr")) if properties is not None else None
            depth = depth or _value(numbered, "w:ilvl")
            num_id = _value(numbered, "w:numId")
            if num_id is not None:
                return num_id, _int(depth)
            style = self._styles.get(style_id) if style_id else None
            if style is None:
                break
            properties, style_id = style.find(qn("w:pPr")), _value(style, "w:basedOn")
        return "0", 0
