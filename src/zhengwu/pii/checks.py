"""The check digits of numbers: identity card, bank card, unified social credit code."""

import re
from datetime import date

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK = "10X98765432"
CODE_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
CODE_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
_IDENTITY = re.compile(r"[1-9]\d{16}[\dX]")
_OLD_IDENTITY = re.compile(r"[1-9]\d{14}")
_CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}")
_PROVINCES = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65"
    " 71 81 82".split()
)


def identity_card_valid(number: str) -> bool:
    """Whether 18 characters are a citizen's number: date and check digit (GB 11643-1999)."""
    digits = number.upper()
    if not _IDENTITY.fullmatch(digits):
        return False
    try:
        born = date(int(digits[6:10]), int(digits[10:12]), int(digits[12:14]))
    except ValueError:
        return False
    total = sum(int(d) * w for d, w in zip(digits, WEIGHTS, strict=False))
    return born.year >= 1850 and CHECK[total % 11] == digits[17]


def old_identity_card_valid(number: str) -> bool:
    """Whether 15 digits may be a number of before 1999: a province and a date, no check digit."""
    if not _OLD_IDENTITY.fullmatch(number) or number[:2] not in _PROVINCES:
        return False
    try:
        date(1900 + int(number[6:8]), int(number[8:10]), int(number[10:12]))
    except ValueError:
        return False
    return True


def luhn_valid(number: str) -> bool:
    """Whether the digits of a bank card carry the right check digit (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def credit_code_valid(code: str) -> bool:
    """Whether 18 characters are a unified social credit code (GB 32100-2015)."""
    signs = code.upper()
    if not _CODE.fullmatch(signs):
        return False
    total = sum(CODE_SIGNS.index(s) * w for s, w in zip(signs[:17], CODE_WEIGHTS, strict=True))
    return CODE_SIGNS[-total % 31] == signs[17]
