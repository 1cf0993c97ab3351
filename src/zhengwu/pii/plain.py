"""The plain form of a text, in which patterns are looked for, and the way back to its places.

Full-width, traditional and spelt-out digits become plain ones, one character for one; only
characters of no width are left out, and then places are mapped back.
"""

import re
from dataclasses import dataclass

_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_MARKS = {
    **dict.fromkeys((0x3000, 0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F), 0x20),
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212, 0x30FC, 0xFE63), 0x2D),
    **{ord(circled): ord(str(digit)) for digit, circled in enumerate("⓪①②③④⑤⑥⑦⑧⑨")},
    **{ord(thin): ord(str(digit)) for digit, thin in enumerate("𝟶𝟷𝟸𝟹𝟺𝟻𝟼𝟽𝟾𝟿")},
}
_OLD_SIGNS = "證號電話聯繫戶棟單區縣鎮鄉街號樓室組灣莊園莊東廣雲蘇遼滬贛魯陝寧貴遠門衛員為職務機絕"
_NEW_SIGNS = "证号电话联系户栋单区县镇乡街号楼室组湾庄园庄东广云苏辽沪赣鲁陕宁贵远门卫员为职务机绝"
_TRADITIONAL = {ord(old): ord(new) for old, new in zip(_OLD_SIGNS, _NEW_SIGNS, strict=True)}
_TABLE = {**_WIDE, **_MARKS, **_TRADITIONAL}
# Punctuation alone is no reason to translate: every Chinese text has it.
_ODD = re.compile(
    "[０-９Ａ-Ｚａ-ｚ＠－．（）＋\u3000\u00a0\u2000-\u200a\u202f\u205f\u2010-\u2015\u2212"
    + "".join(map(chr, (code for code in {**_MARKS, **_TRADITIONAL} if code > 0x2212)))
    + "]"
)
_NO_WIDTH = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_SPELT = re.compile("[零〇○一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖](?:[ \\-]?"
                    "[零〇○一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖]){10,}")  # fmt: skip
_SPELT_DIGITS = str.maketrans(
    "零〇○一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖", "00012345678912123456789"
)
_BROKEN = re.compile(r"(?<=\d)[ \-]*[\r\n\t][ \r\n\t]*(?=\d)")


@dataclass(frozen=True)
class Plain:
    """A plain text. `places[i]` is where character i stood; None where nothing was left out."""

    text: str
    places: tuple[int, ...] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where [start, end) of the plain text is in the original."""
        if self.places is None or start >= end:
            return start, end
        return self.places[start], self.places[end - 1] + 1


def plain(text: str) -> Plain:
    """Return the plain form of `text`."""
    places: tuple[int, ...] | None = None
    if not text.isascii() and _NO_WIDTH.search(text):
        places = tuple(at for at, sign in enumerate(text) if not _NO_WIDTH.match(sign))
        text = "".join(text[at] for at in places)
    if _ODD.search(text):
        text = text.translate(_TABLE)
    if _SPELT.search(text):
        text = _SPELT.sub(lambda run: run.group().translate(_SPELT_DIGITS), text)
    return Plain(text, places)


def unbroken(text: str) -> str:
    """`text` with line breaks inside a row of digits as spaces; nothing moves."""
    return _BROKEN.sub(lambda gap: " " * len(gap.group()), text) if "\n" in text else text
