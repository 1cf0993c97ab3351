"""How a line of official text begins: 第三章, 第十条, 一、, （一）, 1., （1）, ①, 附件.

Knows what marks look like, not what they mean in a given document.
"""

import re

_N = r"[零〇○一二三四五六七八九十百千万两0-9０-９]"
_NUMERAL = rf"{_N}(?:\s*{_N})*"
DIVISION = re.compile(
    rf"^第\s*(?P<number>{_NUMERAL})\s*(?P<unit>分\s*编|编|章|节)(?P<rest>.*)$", re.S
)
ARTICLE = re.compile(
    rf"^第\s*(?P<number>{_NUMERAL})\s*条(?:\s*之\s*(?P<sub>[一二三四五六七八九十]+))?(?P<rest>.*)$",
    re.S,
)
_HAN = "[一二三四五六七八九十百]+"
HAN = re.compile(rf"^(?P<number>{_HAN})\s*[、.．](?P<rest>.*)$", re.S)
HAN_BRACKET = re.compile(
    r"^[（(]\s*(?P<number>[一二三四五六七八九十百]+)\s*[)）](?P<rest>.*)$", re.S
)
ARABIC = re.compile(
    r"^(?P<number>[0-9０-９]{1,3})\s*(?:[．、]|\.(?![0-9０-９]))(?P<rest>.*)$", re.S
)
ARABIC_BRACKET = re.compile(r"^[（(]\s*(?P<number>[0-9０-９]{1,3})\s*[)）](?P<rest>.*)$", re.S)
CIRCLED = re.compile(r"^(?P<number>[①-⑳])(?P<rest>.*)$", re.S)
ANNEX = re.compile(
    rf"^(?P<word>附件|附表|附录|附图|附)\s*(?P<number>{_N}*)\s*(?P<colon>[：:])?(?P<rest>.*)$", re.S
)
STARTS = (DIVISION, ARTICLE, HAN, HAN_BRACKET, ARABIC, ARABIC_BRACKET, CIRCLED)
SENTENCE_END = "。；：！？!?;…”」』》"


def begins_item(line: str) -> bool:
    """Whether the line begins a new unit, so that it never continues the line before it."""
    if any(pattern.match(line) for pattern in STARTS):
        return True
    return bool(re.match(r"^(附件|附表|附录|附[：:]|[-*•·●■◆○]\s|目\s*录$)", line))
