"""One written form for text that is compared or searched.

Full-width, compatibility and traditional forms become plain simplified ones; white space between
Chinese characters goes. Stored text is never changed: only what is compared.
"""

import re
import unicodedata
from functools import cache

import opencc

_WIDE = r"[\u3000-\u9fff\uff00-\uffef]"
_SPACE_IN_CHINESE = re.compile(rf"(?<={_WIDE})\s+(?={_WIDE})")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
_WHITE = re.compile(r"\s+")


def normalise(text: str) -> str:
    """The form that is indexed and searched: NFKC, simplified, lower case, no inner spaces."""
    plain = unicodedata.normalize("NFKC", _CONTROL.sub("", text))
    plain = _SPACE_IN_CHINESE.sub("", plain)
    return str(_simplifier().convert(plain)).lower()


def squash(text: str) -> str:
    """`text` without any white space: what a quotation is compared by."""
    return _WHITE.sub("", text)


def clean(text: str) -> str:
    """`text` without control and invisible characters, trimmed: what a person typed."""
    return _CONTROL.sub("", text).strip()


@cache
def _simplifier() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")
