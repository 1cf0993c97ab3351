"""Chinese numerals ↔ integers: 一千二百六十 = 1260, 一九九四 = 1994, １０ = 10.

Knows only numbers; what they count is the caller's.
"""

import re
import unicodedata

DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "○": 0, "两": 2}
UNITS = {"十": 10, "百": 100, "千": 1000}
NUMERAL = r"[零〇○一二三四五六七八九十百千万两0-9０-９]"
"""Regular expression of one character of a numeral, in Chinese or digits of either width."""
_POSITIONAL = re.compile(r"[零〇○一二三四五六七八九]{2,}")


def to_int(text: str) -> int:
    """Read a numeral below 100,000,000; white space inside is ignored.

    Raises:
        ValueError: the text is not a numeral.
    """
    compact = "".join(unicodedata.normalize("NFKC", text).replace("○", "〇").split())
    if re.fullmatch(r"[0-9]{1,8}", compact):
        return int(compact)
    if _POSITIONAL.fullmatch(compact):
        return int("".join(str(DIGITS[c]) for c in compact))
    if not compact or "万万" in compact:
        raise ValueError(f"not a numeral: {text!r}")
    if "万" in compact:
        high, _, low = compact.partition("万")
        return _section(high, text) * 10_000 + (_section(low, text) if low else 0)
    return _section(compact, text)


def _section(part: str, whole: str) -> int:
    """The value of a numeral below ten thousand."""
    total, digit = 0, None
    for char in part:
        if char in DIGITS:
            digit = DIGITS[char]
        elif char in UNITS:
            total += (1 if digit is None else digit) * UNITS[char]
            digit = None
        else:
            raise ValueError(f"not a numeral: {whole!r}")
    if not part:
        raise ValueError(f"not a numeral: {whole!r}")
    return total + (digit or 0)


def to_chinese(number: int) -> str:
    """Write an integer from 0 to 99,999,999 as statutes do: 10 十, 107 一百零七, 1010 一千零一十.

    Raises:
        ValueError: the number is out of range.
    """
    if not 0 <= number < 100_000_000:
        raise ValueError(f"out of range: {number}")
    if number >= 10_000:
        high, low = divmod(number, 10_000)
        tail = to_chinese(low) if low else ""
        if 10 <= low < 20:
            tail = "一" + tail
        return to_chinese(high) + "万" + ("零" if 0 < low < 1000 else "") + tail
    names = "零一二三四五六七八九"
    out, zero = "", False
    for value, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // value % 10
        if digit:
            out += ("零" if zero and out else "") + names[digit] + unit
            zero = False
        else:
            zero = True
    if 10 <= number < 20:
        out = out[1:]
    return out or "零"
