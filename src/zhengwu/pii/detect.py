"""Find personal data by its structure: numbers that carry a checksum or a fixed shape.

The first form: identity card, mobile, landline, bank card, e-mail, plate. Names and addresses
need context and come with the model service. Knows nothing of grades or of what is done then.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK = "10X98765432"
MASK = "*"

# Digits and letters may be written full width, and with spaces and dashes between groups; one
# character stands for one, so places in the plain text are places in the text.
_PLAIN = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0x2014: 0x2D}


@dataclass(frozen=True)
class Finding:
    """A stretch of text [start, end) and the kind of personal data it is."""

    start: int
    end: int
    kind: str


def identity_card_valid(number: str) -> bool:
    """Whether 18 characters are a citizen's number: date and check digit (GB 11643-1999)."""
    digits = number.upper()
    if not re.fullmatch(r"[1-9]\d{16}[\dX]", digits):
        return False
    try:
        born = date(int(digits[6:10]), int(digits[10:12]), int(digits[12:14]))
    except ValueError:
        return False
    total = sum(int(d) * w for d, w in zip(digits, WEIGHTS, strict=False))
    return born.year >= 1850 and CHECK[total % 11] == digits[17]


def luhn_valid(number: str) -> bool:
    """Whether the digits of a bank card carry the right check digit (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


# A figure is not a telephone number: 13000000000元, 0.13800138000.
_NO_FIGURE = r"(?<!\d)(?<!\d\.)(?<![¥￥])"
_NO_UNIT = r"(?!\d|\.\d|\s?(?:[元亿%‰]|万[元亿吨]))"
_DATE = r"(?:19|20)\d\d[01]\d"
_CARD = r"(?:[3-6]\d|95)"

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("identity_card", re.compile(r"(?<!\d)[1-9](?:[ \-]?\d){16}[ \-]?[\dXx](?!\d)")),
    ("bank_card", re.compile(rf"(?<!\d){_CARD}\d{{13,17}}(?!\d)")),
    (
        "bank_card",
        re.compile(rf"(?<!\d){_CARD}\d\d(?P<gap>[ \-])\d{{4}}(?:(?P=gap)\d{{4}}){{2,3}}(?!\d)"),
    ),
    (
        "bank_card",
        re.compile(rf"(?<!\d){_CARD}\d\d(?P<gap>[ \-])(?:\d{{4}}(?P=gap)){{3}}\d{{1,3}}(?!\d)"),
    ),
    (
        "mobile",
        re.compile(
            rf"{_NO_FIGURE}(?:\+?86[ \-]?)?1[3-9]\d(?:\d{{8}}|\d{{4}}[ \-]\d{{4}}|"
            rf"(?P<gap>[ \-])\d{{4}}(?P=gap)\d{{4}}|[ \-](?!{_DATE})\d{{8}}){_NO_UNIT}"
        ),
    ),
    ("mobile", re.compile(rf"{_NO_FIGURE}1 [3-9](?: \d){{9}}{_NO_UNIT}")),
    (
        "landline",
        re.compile(
            r"(?<!\d)(?:0(?:10|2\d|[3-9]\d\d)[ \-]|\(0(?:10|2\d|[3-9]\d\d)\)[ \-]?)"
            r"[2-8]\d{6,7}(?!\d)"
        ),
    ),
    ("email", re.compile(r"(?<![\w.+\-])[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+", re.ASCII)),
    (
        "plate",
        re.compile(
            r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z]"
            r"[·•・\s]?(?=(?:[A-Z]*\d){2})[A-HJ-NP-Z0-9]{5,6}(?![A-Z0-9])"
        ),
    ),
)


def detect(text: str) -> list[Finding]:
    """Every finding in `text`, in order, none overlapping."""
    found: list[Finding] = []
    for finding in sorted(_candidates(text.translate(_PLAIN)), key=_first_then_longest):
        if not found or finding.start >= found[-1].end:
            found.append(finding)
    return found


def mask(text: str) -> str:
    """`text` with every finding replaced by asterisks of the same length, for logs and records."""
    out = list(text)
    for finding in detect(text):
        out[finding.start : finding.end] = MASK * (finding.end - finding.start)
    return "".join(out)


def _first_then_longest(finding: Finding) -> tuple[int, int]:
    return finding.start, -finding.end


def _candidates(text: str) -> Iterator[Finding]:
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            bare = re.sub(r"[ \-]", "", match.group())
            if kind == "identity_card" and not identity_card_valid(bare):
                continue
            if kind == "bank_card" and not luhn_valid(bare):
                continue
            yield Finding(match.start(), match.end(), kind)
