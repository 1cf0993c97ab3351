"""Characters that no reader sees are taken out; white space becomes plain. Nothing else changes."""

import re

# Controls, soft hyphen, zero-width and direction marks, byte order marks, surrogates, specials.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2064\u2066-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_BREAKS = re.compile("\r\n|[\r\x0c\x85\u2028\u2029]")
_BLANKS = re.compile("[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")


def clean(text: str) -> str:
    """Hidden characters removed, every line break made a newline."""
    return _HIDDEN.sub("", _BREAKS.sub("\n", text))


def one_line(text: str) -> str:
    """Cleaned, white space of any kind collapsed to single spaces, ends stripped."""
    return _BLANKS.sub(" ", clean(text).replace("\n", " ").replace("\v", " ")).strip()
