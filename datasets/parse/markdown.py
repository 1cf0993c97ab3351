"""Markdown with YAML front matter: headings, paragraphs, list items, pipe tables.

The collection of statutes puts their history (“… 通过”, “… 修订”) between title and
`<!-- INFO END -->`; those lines go to `meta["history"]`. Soft-wrapped lines are joined; a line
that begins an article or item never is. What a heading means is not known here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import yaml

from zhengwu.datasets.errors import CorruptDocument
from zhengwu.datasets.parse.clean import clean, one_line
from zhengwu.datasets.parse.document import Block, ParsedDocument, table
from zhengwu.datasets.parse.lines import paragraphs
from zhengwu.datasets.parse.marks import SENTENCE_END, begins_item

INFO_END = "<!-- INFO END -->"
MAX_FRONT_MATTER = 64_000
# The same safe loader, in C where the wheel has it: ten times as fast.
LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FRONT = re.compile(r"\A---[ \t]*\n(?P<yaml>.*?)\n---[ \t]*(?:\n|\Z)", re.S)
_HEADING = re.compile(r"^(?P<marks>#{1,6})(?:[ \t\u3000]+(?P<text>.*?))?[ \t#]*$")
_TABLE_RULE = re.compile(r"^\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?$")
_EMPHASIS = re.compile(r"(\*\*\*|\*\*|__)(?=\S)(.{1,300}?)(?<=\S)\1")
_LINK = re.compile(r"!?\[([^\[\]]{0,500})\]\(([^()\s]{1,2000})(?:\s+\"[^\"]*\")?\)")


def front_matter(text: str, name: str = "") -> tuple[dict[str, object], str]:
    """The YAML mapping at the head of a Markdown text (typed as YAML types it), and the rest.

    Raises:
        CorruptDocument: the YAML is wrong, too long, uses aliases or is not a mapping.
    """
    found = _FRONT.match(text)
    if not found:
        return {}, text
    source = found["yaml"]
    where = f"“{name}”的 YAML 头部"
    if len(source) > MAX_FRONT_MATTER:
        raise CorruptDocument(f"{where}超过 {MAX_FRONT_MATTER} 字符，请精简。")
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(source, Loader=LOADER)):
            raise CorruptDocument(f"{where}使用了别名（*），请改为直接写出内容。")
        data: object = yaml.load(source, Loader=LOADER)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CorruptDocument(f"{where}无法解析，请检查缩进和引号：{error}") from error
    if data is None:
        return {}, text[found.end() :]
    if not isinstance(data, dict):
        raise CorruptDocument(f"{where}应为“键: 值”的形式，请修改。")
    return {str(key): value for key, value in data.items()}, text[found.end() :]


def read_markdown(
    text: str, name: str = "", meta: Mapping[str, str] | None = None
) -> ParsedDocument:
    """Parse Markdown in memory; the first level-1 heading is the title.

    Raises:
        CorruptDocument: the front matter is wrong.
    """
    data, body = front_matter(clean(text), name)
    facts = {key: _flat(value) for key, value in data.items() if value is not None}
    head, mark, rest = body.partition(INFO_END)
    blocks = list(_blocks(head.split("\n")))
    if mark:
        history = [block.text for block in blocks if block.kind != "heading"]
        facts["history"] = "\n".join(history)
        blocks = [block for block in blocks if block.kind == "heading"]
        blocks += _blocks(rest.split("\n"))
    title, blocks = _title(blocks, with_part=bool(mark))
    return ParsedDocument(
        title=title or facts.get("title", ""),
        blocks=tuple(blocks),
        meta=MappingProxyType(facts | dict(meta or {})),
        format="markdown",
    )


def _flat(value: object) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _title(blocks: list[Block], with_part: bool) -> tuple[str, list[Block]]:
    """Take the title off. A part of a code (民法典, 物权编) is named by both its headings."""
    if not blocks or blocks[0].kind != "heading" or blocks[0].level != 1:
        return "", blocks
    title, rest = blocks[0].text, blocks[1:]
    if with_part and rest and rest[0].kind == "heading" and rest[0].level == 1:
        title = f"{title} {rest[0].text}"
        rest = rest[1:]
    return title, rest


def _blocks(lines: list[str]) -> Iterator[Block]:
    text = _without_comments("\n".join(lines))
    pending: list[str] = []
    rows: list[list[str]] = []
    for raw in [*text.split("\n"), ""]:
        line = raw.strip()
        is_row = line.startswith("|") and line.count("|") >= 2
        if rows and not is_row:
            yield from filter(None, [table(rows)])
            rows = []
        heading = _HEADING.match(line)
        if pending and (not line or heading or is_row or _starts_new(pending[-1], raw)):
            yield from _paragraph(pending)
            pending = []
        if heading:
            label = one_line(_inline(heading["text"] or ""))
            if label:
                yield Block("heading", label, len(heading["marks"]))
        elif is_row:
            if not _TABLE_RULE.match(line):
                rows.append(_cells(line))
        elif line and not re.fullmatch(r"([-*_][ \t]*){3,}", line):
            pending.append(re.sub(r"^>+[ \t]?", "", line))


def _without_comments(text: str) -> str:
    """Drop HTML comments; one that never ends is text."""
    parts: list[str] = []
    place = 0
    while (start := text.find("<!--", place)) >= 0 and (end := text.find("-->", start)) >= 0:
        parts.append(text[place:start])
        place = end + 3
    return "".join(parts) + text[place:]


def _starts_new(previous: str, raw: str) -> bool:
    line = raw.strip()
    if begins_item(line) or re.match(r"^([-*+]|\d+[.)])\s", line) or raw.startswith("\u3000"):
        return True
    return previous.endswith(tuple(SENTENCE_END)) or raw.startswith((">", "    "))


def _paragraph(lines: list[str]) -> Iterator[Block]:
    joined = lines[0]
    for line in lines[1:]:
        ascii_seam = joined[-1:].isascii() and line[:1].isascii()
        joined += (" " if ascii_seam else "") + line
    for part in paragraphs(joined):
        text = one_line(_inline(part))
        if text:
            yield Block("paragraph", text)


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|").replace("\\|", "\0")
    return [
        one_line(_inline(re.sub(r"<br\s*/?>", "；", cell).replace("\0", "|")))
        for cell in inner.split("|")
    ]


def _inline(text: str) -> str:
    text = _LINK.sub(lambda m: m[1] if m[1] else m[2], text)
    return _EMPHASIS.sub(lambda m: m[2], text)
