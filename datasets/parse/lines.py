"""A line of thousands of characters, with its paragraphs run together, becomes paragraphs again.

Text taken from web pages often holds a whole notice in one line: “… 通知 各有关单位： … 一、… 1.…”.
Only white space is dropped; every other character stays, in order.
"""

import re

LONG = 300
_MARK = (
    r"(?:第[零〇○一二三四五六七八九十百千0-9０-９]{1,7}[编章节条](?=[\s　])"
    r"|[一二三四五六七八九十]{1,3}、|[（(][一二三四五六七八九十]{1,3}[)）]"
    r"|[0-9]{1,2}[.．、](?![0-9])|[（(][0-9]{1,2}[)）]|[①-⑳]|附件)"
)
_INDENT = re.compile(r"[\u3000]{2,}|[ \u00a0\u3000]{4,}")
_AFTER_SENTENCE = re.compile(r"(?<=[。；：！？”）)])[\s\u3000]+")
_BEFORE_MARK = re.compile(rf"[\s\u3000]+(?={_MARK})")
_GLUED_MARK = re.compile(
    r"(?<=[。；：！？])(?=[一二三四五六七八九十]{1,3}、|（[一二三四五六七八九十]{1,3}）)"
)
_HEADING_RUN_ON = re.compile(
    r"^((?:[一二三四五六七八九十]{1,3}、|[（(][一二三四五六七八九十]{1,3}[)）])[^，。；：？！\s]{2,30})\s+(?=\S{6})"
)
_TITLE = re.compile(r"^(?P<title>[^。；！？]{6,90}?)[\s\u3000]+(?P<rest>\S.*)$", re.S)
_GLUED_TITLE = re.compile(
    r"^(?P<title>[^。；！？：]{6,110}?的(?:通知|公告|通告|意见|决定|批复|函))(?=[^的和、，（])"
)
_TITLE_END = re.compile(
    r"(通知|公告|通告|意见|办法|规定|方案|措施|指南|指引|清单|公开信|条例|细则|批复|函|令)$"
)


def paragraphs(line: str) -> list[str]:
    """The paragraphs of one line; a line of ordinary length is one paragraph."""
    if len(line) <= LONG:
        return [line]
    parts = [line]
    for pattern in (_INDENT, _AFTER_SENTENCE, _BEFORE_MARK):
        parts = [piece for part in parts for piece in pattern.split(part)]
    parts = [p for part in parts for p in (_GLUED_MARK.split(part) if len(part) > LONG else [part])]
    parts = [piece for part in parts for piece in _HEADING_RUN_ON.split(part)]
    return [part.strip() for part in parts if part.strip()]


def split_title(paragraph: str) -> tuple[str, str]:
    """Title and rest of a first paragraph in which they are run together; title "" when not so.

    Of several candidates the one that ends like a title (通知, 办法, …) wins, else the first.
    """
    cuts = [m.start() for m in re.finditer(r"[\s\u3000]+", paragraph[:120]) if m.start() >= 6]
    for cut in cuts:
        head = paragraph[:cut]
        if _TITLE_END.search(head) and not re.search(r"[。；！？]", head):
            return head.strip(), paragraph[cut:].strip()
    glued = _GLUED_TITLE.match(paragraph)
    if glued:
        return glued["title"].strip(), paragraph[glued.end() :].strip()
    first = _TITLE.match(paragraph)
    if not first:
        return "", paragraph
    return first["title"].strip(), first["rest"].strip()


def ends_like_title(text: str) -> bool:
    """Whether a line ends with the name of a kind of document (通知, 办法, 指南, …)."""
    return _TITLE_END.search(text) is not None
