"""`zhengwu data check`: what the starter files must be, alone and together.

Each rule is a function that yields findings. Knows no command line and decides no validity.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from zhengwu.datasets import manifest as manifests
from zhengwu.datasets.dates import HAN_DATE, read_date
from zhengwu.datasets.errors import ParseError, StarterError
from zhengwu.datasets.lawbook import LawBook
from zhengwu.datasets.manifest import Manifest
from zhengwu.datasets.numerals import to_int
from zhengwu.datasets.overlap import pairs
from zhengwu.datasets.parse.marks import ARTICLE
from zhengwu.datasets.starter import STARTER, Guide, guide_files, load_guide
from zhengwu.pii.detect import detect

SECTIONS = (
    "办理事项", "服务对象", "办理条件", "申请材料", "办理流程", "办理时限", "收费标准",
    "办理地点和时间", "咨询电话", "设定依据",
)  # fmt: skip
MIN_FILES, MIN_DEPARTMENTS, MIN_ARTICLES = 80, 20, 8
MAX_CONTAINMENT = 0.5
FICTIONAL_AREA = "0999"
PUBLIC_KINDS = frozenset({"address", "credit_code"})
"""Of an office or a body, which a guide must name."""
_IN_FORCE = re.compile(rf"({HAN_DATE})\s*起?(?:正式)?(?:施行|实施|执行)")
_NAME = r"《(?P<law>[^《》]{3,60})》"
_ONE = r"第[零一二三四五六七八九十百千]+条(?:之[一二三四五六七八九十]+)?"
_CITED = re.compile(
    rf"{_NAME}(?:（[^）]*）)?(?P<articles>{_ONE}(?:(?:、|和|及|，|至|以及){_ONE})*)"
)


@dataclass(frozen=True)
class Finding:
    """Something that must be put right."""

    rule: str
    where: str
    message: str


@dataclass(frozen=True)
class Report:
    """The outcome of a check. `basis` counts front matter, `cited` the articles named in texts."""

    files: int
    counts: dict[str, dict[str, int]]
    basis: dict[str, int]
    cited: dict[str, int]
    most_alike: tuple[float, str, str] | None
    findings: tuple[Finding, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def check(folder: Path = STARTER, laws: LawBook | None = None) -> Report:
    """Check a starter folder; with `laws`, every basis is looked up."""
    guides, findings = _load(folder)
    try:
        listed: Manifest | None = manifests.read(folder)
    except StarterError as error:
        listed = None
        findings.append(Finding("manifest", manifests.NAME, str(error)))
    for guide in guides:
        findings += [*_form(guide), *_dates(guide, listed), *_personal_data(guide)]
    alike = pairs({guide.path.stem: guide.body for guide in guides})
    findings += [*_together(guides), *_alike(alike), *_digests(guides, listed, folder)]
    basis, cited = Counter[str](), Counter[str]()
    if laws is not None:
        for guide in guides:
            findings += _basis(guide, laws, basis, cited)
    return Report(
        files=len(guides),
        counts=manifests.count(guides),
        basis=dict(basis),
        cited=dict(cited),
        most_alike=alike[0] if alike else None,
        findings=tuple(findings),
    )


def _load(folder: Path) -> tuple[list[Guide], list[Finding]]:
    guides: list[Guide] = []
    findings: list[Finding] = []
    for path in guide_files(folder):
        try:
            guides.append(load_guide(path))
        except (StarterError, ParseError, UnicodeDecodeError) as error:
            findings.append(Finding("schema", path.name, str(error)))
    return guides, findings


def _form(guide: Guide) -> Iterator[Finding]:
    """Name, title, sections or articles."""
    meta = guide.meta
    if guide.path.stem != meta.id or guide.path.parent.name != meta.id.split("-")[0]:
        yield Finding("name", meta.id, f"文件应为 {meta.id.split('-')[0]}/{meta.id}.md，请改名。")
    if guide.document.title != meta.title:
        yield Finding("title", meta.id, f"正文标题“{guide.document.title}”与头部 title 不一致。")
    if not meta.basis:
        yield Finding("basis", meta.id, "没有设定依据，请写明法律名称和条号。")
    yield from _policy(guide) if meta.kind == "政策文件" else _sections(guide)


def _sections(guide: Guide) -> Iterator[Finding]:
    blocks = guide.document.blocks
    for name in SECTIONS:
        places = [i for i, b in enumerate(blocks) if b.kind == "heading" and b.text == name]
        if len(places) != 1:
            yield Finding(
                "section", guide.meta.id, f"应有且只有一个“{name}”，现有 {len(places)} 个。"
            )
        elif places[0] + 1 == len(blocks) or blocks[places[0] + 1].kind == "heading":
            yield Finding("section", guide.meta.id, f"“{name}”没有内容，请补充。")


def _policy(guide: Guide) -> Iterator[Finding]:
    meta, blocks = guide.meta, guide.document.blocks
    numbers = [to_int(m["number"]) for b in blocks if (m := ARTICLE.match(b.text))]
    if len(numbers) < MIN_ARTICLES or numbers != list(range(1, len(numbers) + 1)):
        yield Finding("articles", meta.id, f"应有连续的 {MIN_ARTICLES} 条以上，现为 {numbers}。")
    stated = [read_date(m) for b in blocks for m in _IN_FORCE.findall(b.text)]
    if meta.effective_from not in stated:
        day = meta.effective_from
        yield Finding(
            "effective", meta.id, f"正文没有“自{day:%Y年%-m月%-d日}起施行”的条款，与头部不一致。"
        )
    if not meta.document_number:
        yield Finding("number", meta.id, "政策文件没有文号，请填写 document_number。")


def _dates(guide: Guide, listed: Manifest | None) -> Iterator[Finding]:
    meta = guide.meta
    if meta.issued > meta.effective_from:
        yield Finding(
            "dates", meta.id, f"发布日期 {meta.issued} 晚于生效日期 {meta.effective_from}。"
        )
    if meta.effective_to and meta.effective_to <= meta.effective_from:
        yield Finding("dates", meta.id, f"失效日期 {meta.effective_to} 不晚于生效日期。")
    if (meta.status == "已废止") != (meta.replaced_by is not None):
        yield Finding("replaced_by", meta.id, "已废止的应写明 replaced_by，其他状态不应有。")
    if listed is None:
        return
    today: date = listed.statuses_as_of
    if (meta.status == "尚未生效") != (meta.effective_from > today):
        yield Finding(
            "status", meta.id, f"状态“{meta.status}”与生效日期 {meta.effective_from} 矛盾。"
        )
    if meta.status == "现行有效" and meta.effective_to and meta.effective_to < today:
        yield Finding("status", meta.id, f"已于 {meta.effective_to} 失效，状态不应为现行有效。")


def _personal_data(guide: Guide) -> Iterator[Finding]:
    """No personal data, and telephone numbers only of the fictional area code."""
    for found in detect(guide.body):
        words = guide.body[found.start : found.end]
        if found.kind in PUBLIC_KINDS:
            continue
        if found.kind == "landline" and words.startswith(FICTIONAL_AREA):
            continue
        yield Finding(
            "personal_data", guide.meta.id, f"疑似个人信息（{found.kind}），请删除或虚构。"
        )


def _together(guides: Sequence[Guide]) -> Iterator[Finding]:
    ids = Counter(guide.meta.id for guide in guides)
    for id, times in ids.items():
        if times > 1:
            yield Finding("unique", id, f"编号重复 {times} 次，请改为唯一编号。")
    by_id = {guide.meta.id: guide.meta for guide in guides}
    for guide in guides:
        successor = guide.meta.replaced_by
        if successor is None:
            continue
        if successor not in by_id:
            yield Finding("replaced_by", guide.meta.id, f"replaced_by 指向不存在的“{successor}”。")
        elif by_id[successor].effective_from < guide.meta.effective_from:
            yield Finding("replaced_by", guide.meta.id, f"替代文件“{successor}”反而更早生效。")
    departments = {guide.meta.department for guide in guides}
    if len(guides) < MIN_FILES or len(departments) < MIN_DEPARTMENTS:
        yield Finding(
            "coverage",
            "guides",
            f"现有 {len(guides)} 个文件、{len(departments)} 个部门，"
            f"至少应有 {MIN_FILES} 个、{MIN_DEPARTMENTS} 个。",
        )


def _alike(found: list[tuple[float, str, str]]) -> Iterator[Finding]:
    for share, one, other in found:
        if share < MAX_CONTAINMENT:
            return
        yield Finding("alike", one, f"与“{other}”有 {share:.0%} 的五字串相同，请改写。")


def _digests(guides: Sequence[Guide], listed: Manifest | None, folder: Path) -> Iterator[Finding]:
    if listed is None:
        return
    known = {entry.path: entry.sha256 for entry in listed.files}
    actual = {guide.path.relative_to(folder).as_posix(): guide.digest for guide in guides}
    for path in sorted(known.keys() | actual.keys()):
        if known.get(path) != actual.get(path):
            state = (
                "清单未列" if path not in known else "文件缺失" if path not in actual else "已改动"
            )
            yield Finding(
                "manifest", path, f"{state}，请核对后运行 zhengwu data check --write-manifest。"
            )


def _basis(
    guide: Guide, laws: LawBook, basis: Counter[str], cited: Counter[str]
) -> Iterator[Finding]:
    """Front matter, and every “《…》第…条” of the text."""
    for item in guide.meta.basis:
        outcome = laws.resolve(item.law, item.article)
        basis[outcome] += 1
        if outcome == "unresolved":
            yield Finding("basis", guide.meta.id, f"《{item.law}》没有{item.article}，请核对。")
    for found in _CITED.finditer(guide.body):
        for article in re.findall(_ONE, found["articles"]):
            outcome = laws.resolve(found["law"], article)
            cited[outcome] += 1
            if outcome == "unresolved":
                yield Finding("cited", guide.meta.id, f"《{found['law']}》没有{article}，请核对。")
