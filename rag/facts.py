"""What a document says about itself: organ, number, dates, when it takes effect.

Each fact carries the words it was read from. Whether the document is in force is not decided here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from zhengwu.datasets.dates import DATE, HAN_DATE, read_date
from zhengwu.datasets.parse import ParsedDocument
from zhengwu.datasets.parse.marks import ARTICLE

NUMBER = re.compile(
    r"(?P<number>[\u4e00-\u9fff]{2,16}[〔\[［【（(]\s*(?:19|20)\d\d\s*[〕\]］】）)]\s*第?\s*[0-9０-９]{1,5}\s*号|"
    r"(?:(?!关于|的|根据|经)[\u4e00-\u9fff]){0,30}(?:令|公告)\s*(?:(?:19|20)\d\d年)?\s*第\s*[0-9０-９一二三四五六七八九十百]{1,5}\s*号)"
)
_FORCE = r"(?:施行|实施|执行|生效)"
EFFECTIVE = re.compile(rf"[^。；，]*?(?P<date>{HAN_DATE})起?(?:正式|开始)?(?:起)?{_FORCE}")
ON_ISSUE = re.compile(rf"自?(?:公布|发布|印发|颁布|发文)之日起(?:正式)?{_FORCE}")
UNTIL = re.compile(
    rf"有效期(?:限)?(?:截)?(?:至|到)(?P<date>{HAN_DATE})|{_FORCE}至(?P<end>{HAN_DATE})"
)
DATED_NAME = re.compile(r"\s*[（(]\d{4}-\d{2}-\d{2}[)）]\s*$")
ORGAN = re.compile(
    r"[\u4e00-\u9fff]{2,24}(?:人民代表大会常务委员会|人民代表大会|人民政府办公厅|人民政府办公室|人民政府|"
    r"国务院办公厅|国务院|委员会|管理局|监督局|保障局|建设局|资源局|税务局|公安局|民政局|财政局|教育局|"
    r"交通局|卫生局|医保局|办公厅|办公室|中心|总局|部|厅|局|委|院)"
)


@dataclass(frozen=True)
class Facts:
    """Facts of one document; None where the text does not say.

    Attributes:
        title: Without a date in brackets.
        issued: When it was first adopted or published.
        revised: The latest 修正 or 修订.
        version_date: Of this version, from the file's name “…(2018-12-29)”.
        effective_from: As its own text or head states it (of a revised law: of the first text).
        effective_to: The last day of a stated term.
        evidence: Field name → the words it was read from.
    """

    title: str
    organ: str | None = None
    document_number: str | None = None
    issued: date | None = None
    revised: date | None = None
    version_date: date | None = None
    effective_from: date | None = None
    effective_to: date | None = None
    evidence: Mapping[str, str] = field(default_factory=dict[str, str])


def read_facts(doc: ParsedDocument) -> Facts:
    """Read the facts of a parsed document: its head first, then its text."""
    said: dict[str, str] = {}
    history = [line for line in doc.meta.get("history", "").split("\n") if line]
    texts = [block.text for block in doc.blocks if block.kind != "table"]
    issued = _issued(doc, history, texts, said)
    revised = _revised(history, said)
    return Facts(
        title=DATED_NAME.sub("", doc.title),
        organ=_organ(doc, history, texts, said),
        document_number=_number(doc, history, texts, said),
        issued=issued,
        revised=revised,
        version_date=read_date(_given(doc, "version_date", said) or ""),
        effective_from=_effective(doc, history, texts, issued, said),
        effective_to=_until(doc, texts, said),
        evidence=said,
    )


def _given(doc: ParsedDocument, key: str, said: dict[str, str]) -> str | None:
    value = doc.meta.get(key, "").strip()
    if value:
        said[key] = value
    return value or None


def _issued(
    doc: ParsedDocument, history: list[str], texts: list[str], said: dict[str, str]
) -> date | None:
    given = _given(doc, "issued", said)
    if given:
        return read_date(given)
    adopted = [x for x in history if re.search(r"通过|公布|发布|批准|颁布", x)] or history
    signed = [x for x in reversed(texts[-8:]) if DATE.search(x) and len(x) <= 60]
    early = [x for x in texts[:4] if re.fullmatch(rf"[（(]?(?:{DATE.pattern}).{{0,60}}", x)]
    for line in [*adopted[:1], *early[:1], *signed[:1]]:
        found = read_date(line)
        if found:
            said["issued"] = line
            return found
    return None


def _revised(history: list[str], said: dict[str, str]) -> date | None:
    dated = [(read_date(x), x) for x in history if re.search(r"修正|修订|修改", x)]
    known = [(when, line) for when, line in dated if when]
    if not known:
        return None
    when, said["revised"] = max(known)
    return when


def _effective(
    doc: ParsedDocument,
    history: list[str],
    texts: list[str],
    issued: date | None,
    said: dict[str, str],
) -> date | None:
    given = _given(doc, "effective_from", said)
    if given:
        return read_date(given)
    for line in history:
        if re.fullmatch(rf"(?:{DATE.pattern})起?\s*{_FORCE}", line.strip()):
            said["effective_from"] = line
            return read_date(line)
    for line in reversed(texts):
        opening = ARTICLE.match(line)
        text = opening["rest"].strip() if opening else line
        stated = [m for m in EFFECTIVE.finditer(text) if read_date(m["date"])]
        stated.sort(key=lambda m: not m.group(0).lstrip().startswith("本"))
        if stated:
            said["effective_from"] = stated[0].group(0).strip()
            return read_date(stated[0]["date"])
        on_issue = ON_ISSUE.search(text)
        published = issued or read_date(doc.meta.get("version_date", ""))
        if on_issue and published:
            said["effective_from"] = on_issue.group(0)
            return published
    return None


def _until(doc: ParsedDocument, texts: list[str], said: dict[str, str]) -> date | None:
    given = _given(doc, "effective_to", said)
    if given:
        return read_date(given)
    for text in reversed(texts):
        found = UNTIL.search(text)
        when = read_date(found["date"] or found["end"]) if found else None
        if found and when:
            said["effective_to"] = found.group(0)
            return when
    return None


def _number(
    doc: ParsedDocument, history: list[str], texts: list[str], said: dict[str, str]
) -> str | None:
    given = _given(doc, "document_number", said)
    if given:
        return given
    for line in [*history[:3], *_head(texts)]:
        found = NUMBER.search(line)
        if not found or _quoted(line, found.start()):
            continue
        said["document_number"] = line[:200]
        number = re.sub(r"^(?:公告|通知|通告)(?=[\u4e00-\u9fff])|\s", "", found["number"])
        return re.sub(r"[\[［【（(](\d{4})[\]］】）)]", r"〔\1〕", number)
    return None


def _head(texts: list[str]) -> Iterable[str]:
    """First lines, up to where the text begins; a number further down is another document's."""
    for text in texts[:6]:
        yield text if len(text) <= 120 else re.split(r"[：。]", text)[0][:200]


def _quoted(line: str, start: int) -> bool:
    before = line[:start]
    in_title = before.count("《") > before.count("》")
    return in_title or before.endswith(("（", "(", "》")) or "根据" in before or "按照" in before


def _organ(
    doc: ParsedDocument, history: list[str], texts: list[str], said: dict[str, str]
) -> str | None:
    given = _given(doc, "organ", said) or _given(doc, "department", said)
    if given:
        return given
    for line in history:
        found = re.search(
            r"(?P<place>[\u4e00-\u9fff]*?)(?:第[一二三四五六七八九十百]+届)(?P<body>[\u4e00-\u9fff]*?"
            r"人民代表大会(?:常务委员会)?)|(?P<council>国务院)",
            line,
        )
        if found:
            said["organ"] = line
            return found["council"] or f"{found['place']}{found['body']}"
    before, mark, _ = doc.title.partition("关于")
    if mark and ORGAN.fullmatch(before.strip()):
        said["organ"] = doc.title
        return before.strip()
    for line in reversed(texts[-6:]):
        name = DATE.split(line)[0].strip() if DATE.search(line) else line.strip()
        if len(line) <= 60 and ORGAN.fullmatch(name):
            said["organ"] = line
            return name
    return None
