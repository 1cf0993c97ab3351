"""Numbers of persons and organisations: by shape, check digit and the word before them.

Works on the plain form of a text (`plain.py`). Knows nothing of names and addresses.
"""

import re
from collections.abc import Callable, Iterator

from zhengwu.pii.checks import (
    credit_code_valid,
    identity_card_valid,
    luhn_valid,
    old_identity_card_valid,
)
from zhengwu.pii.finding import Finding

CUE_REACH = 14
"""How many characters before a number its name may stand."""

# A figure is not a telephone number: 13000000000元, 0.13800138000.
_NO_FIGURE = r"(?<!\d)(?<!\d\.)(?<![¥￥$])"
_NO_UNIT = r"(?!\d|\.\d|\s?(?:[元亿%‰]|万[元亿吨]))"
_DATE = r"(?:19|20)\d\d[01]\d"
_CARD = r"(?:[3-6]\d|95)"
_GAP = r"[ \-.]{0,2}"
_SIGN = "[0-9A-HJ-NPQRTUWXY]"

_CUED_PHONE = re.compile(r"电话|手机|号码|联系|致电|拨打|来电|微信|短信|tel|phone|mobile", re.I)
_CUED_CARD = re.compile(r"卡号|银行卡|账[号户]|帐[号户]|卡|card|account", re.I)
_CUED_IDENTITY = re.compile(r"身份证|证件号|证号|公民身份|ID", re.I)
_CUED_PERMIT = re.compile(r"通行证|港澳|台胞|回乡|护照|证件号|passport", re.I)


def _true(_: str) -> bool:
    return True


Check = Callable[[str], bool]
_ROWS: tuple[tuple[str, re.Pattern[str], Check, re.Pattern[str] | None], ...] = (
    (
        "identity_card",
        re.compile(rf"(?<!\d)[1-9](?:{_GAP}\d){{16}}{_GAP}[\dXx](?!\d)"),
        identity_card_valid,
        None,
    ),
    (
        "identity_card",
        re.compile(r"(?<!\d)[1-9]\d{5}[ \-]?\d{6}[ \-]?\d{3}(?!\d)"),
        old_identity_card_valid,
        _CUED_IDENTITY,
    ),
    ("bank_card", re.compile(rf"(?<!\d){_CARD}\d{{13,17}}(?!\d)"), luhn_valid, None),
    (
        "bank_card",
        re.compile(rf"(?<!\d){_CARD}\d\d(?P<gap>[ \-])\d{{4}}(?:(?P=gap)\d{{4}}){{2,3}}(?!\d)"),
        luhn_valid,
        None,
    ),
    (
        "bank_card",
        re.compile(rf"(?<!\d){_CARD}\d\d(?P<gap>[ \-])(?:\d{{4}}(?P=gap)){{3}}\d{{1,3}}(?!\d)"),
        luhn_valid,
        None,
    ),
    ("bank_card", re.compile(r"(?<!\d)62\d{4}[ \-]\d{10,13}(?!\d)"), luhn_valid, None),
    (
        "bank_card",
        re.compile(rf"(?<!\d){_CARD}(?:{_GAP}\d){{13,17}}(?!\d)"),
        luhn_valid,
        _CUED_CARD,
    ),
    (
        "mobile",
        re.compile(
            rf"{_NO_FIGURE}(?:(?:\+|00)?86[ \-]?)?1[3-9]\d(?:\d{{8}}|\d{{4}}[ \-.]\d{{4}}|"
            rf"(?P<gap>[ \-.])\d{{4}}(?P=gap)\d{{4}}|[ \-](?!{_DATE})\d{{8}}){_NO_UNIT}"
        ),
        _true,
        None,
    ),
    ("mobile", re.compile(rf"{_NO_FIGURE}1 [3-9](?: \d){{9}}{_NO_UNIT}"), _true, None),
    (
        "mobile",
        re.compile(rf"{_NO_FIGURE}1{_GAP}[3-9](?:{_GAP}\d){{9}}{_NO_UNIT}"),
        _true,
        _CUED_PHONE,
    ),
    (
        "landline",
        re.compile(
            r"(?<!\d)(?:(?:\+86[ \-]?)?0(?:10|2\d|[3-9]\d\d)[ \-]|\(0(?:10|2\d|[3-9]\d\d)\)[ \-]?)"
            r"[2-8](?:\d{6,7}|\d{3}[ \-]\d{4}|\d\d[ \-]\d{4})(?:[ \-]?(?:转|ext\.?)?\d{1,4})?(?!\d)"
        ),
        _true,
        None,
    ),
    (
        "landline",
        re.compile(rf"{_NO_FIGURE}0(?:(?:10|2\d)[2-8]\d{{7}}|[3-9]\d\d[2-8]\d{{6,7}}){_NO_UNIT}"),
        _true,
        None,
    ),
    (
        "landline",
        re.compile(rf"{_NO_FIGURE}[2-8]\d{{2,3}}[ \-]?\d{{4}}{_NO_UNIT}"),
        _true,
        re.compile(r"(?:电话|座机|固话|致电|拨打|tel)[^\d]{0,6}$", re.I),
    ),
)
_CODE = re.compile(
    rf"(?<![0-9A-Za-z])(?:{_SIGN}[ \-]{{0,2}}){{17}}{_SIGN}(?![0-9A-Za-z])", re.IGNORECASE
)
_PASSPORT = re.compile(
    r"(?<![A-Za-z0-9])(?:[EGeg]\d{8}|[Ee][A-HJ-NP-Za-hj-np-z]\d{7}|[DSPdsp][Ee]?\d{7,8})"
    r"(?![A-Za-z0-9])"
)
_PERMIT = re.compile(r"(?<![A-Za-z0-9])(?:[CWHMTcwhmt][A-Za-z]?\d{7,10}|\d{8})(?![A-Za-z0-9])")
_EMAIL = re.compile(r"(?<![\w.+\-])[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+", re.ASCII)
_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z]"
    r"[·•・.\-\s]?(?=(?:[A-Z]*\d){2})(?:[A-HJ-NP-Z0-9]{5,6}|[A-HJ-NP-Z0-9]{4}[警学挂港澳使领])"
    r"(?![A-Z0-9])"
)
_LONG_RUN = re.compile(r"\d(?:[ \-.()+]{0,2}\d){6}")
_GAPS = re.compile(r"[^0-9A-Za-z]")


def numbers(text: str) -> Iterator[Finding]:
    """Every candidate in a plain text; they may overlap."""
    if _LONG_RUN.search(text):
        yield from _rows(text)
        yield from _found("credit_code", _CODE, text, credit_code_valid)
        for match in _PASSPORT.finditer(text):
            yield Finding(*match.span(), "passport")
        for match in _PERMIT.finditer(text):
            if _cued(text, match.start(), _CUED_PERMIT):
                yield Finding(*match.span(), "passport")
    if "@" in text:
        yield from _found("email", _EMAIL, text, _true)
    for match in _PLATE.finditer(text):
        yield Finding(*match.span(), "plate")


def _rows(text: str) -> Iterator[Finding]:
    for kind, pattern, check, cue in _ROWS:
        if cue is None or cue.pattern[0] == "(" or cue.search(text):
            for finding in _found(kind, pattern, text, check):
                if cue is None or _cued(text, finding.start, cue):
                    yield finding


def _found(kind: str, pattern: re.Pattern[str], text: str, check: Check) -> Iterator[Finding]:
    for match in pattern.finditer(text):
        if check is _true or check(_GAPS.sub("", match.group())):
            yield Finding(*match.span(), kind)


def _cued(text: str, start: int, cue: re.Pattern[str]) -> bool:
    return cue.search(text[max(0, start - CUE_REACH) : start]) is not None
