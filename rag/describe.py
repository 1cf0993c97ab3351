"""What is stored of a document: its id, kind, organ, number, dates, region and validity.

What its front matter states wins over what its text shows (`facts.py`). Knows no database.
"""

from datetime import date

from zhengwu.datasets.parse import ParsedDocument
from zhengwu.rag.clause import Clause
from zhengwu.rag.facts import Facts, read_facts
from zhengwu.rag.regions import gazetteer
from zhengwu.rag.store import DocumentDraft
from zhengwu.rag.validity import IN_FORCE

HEAD_CHARS = 150
ID_CHARS = 128


def describe(doc: ParsedDocument, clauses: tuple[Clause, ...], name: str) -> DocumentDraft:
    """Describe a parsed document; `name` is its path in the batch, the id where none is stated."""
    facts = read_facts(doc)
    region, named = _regions(doc, facts.title)
    return DocumentDraft(
        doc_id=doc.meta.get("id", "").strip()[:ID_CHARS] or _id_from(name),
        title=facts.title[:500],
        digest=doc.digest,
        source=name[:1000],
        kind=_kind(doc, clauses),
        organ=facts.organ,
        document_number=facts.document_number,
        region=region,
        status=doc.meta.get("status", "").strip() or IN_FORCE,
        issued=facts.issued,
        effective_from=_effective_from(facts),
        effective_to=facts.effective_to,
        grade=_grade(doc),
        meta={"named_regions": named, "evidence": dict(facts.evidence)},
    )


def _id_from(name: str) -> str:
    stem = name.rsplit(".", 1)[0]
    return stem.replace("/", "·").replace("\\", "·")[-ID_CHARS:]


def _kind(doc: ParsedDocument, clauses: tuple[Clause, ...]) -> str:
    stated = doc.meta.get("kind", "").strip()
    if stated:
        return stated[:32]
    return "法规" if any(clause.level == "条" for clause in clauses) else "文件"


def _effective_from(facts: Facts) -> date | None:
    """When this version took effect: a revised law's own clause tells of its first text only."""
    latest = max((d for d in (facts.revised, facts.version_date) if d), default=None)
    stated = facts.effective_from
    if stated and latest:
        return max(stated, latest)
    return stated or latest or facts.issued


def _grade(doc: ParsedDocument) -> int:
    stated = doc.meta.get("grade", "1").strip()
    # A grade that cannot be read is the highest one, so that nothing leaks by a typing error.
    return int(stated) if stated in ("1", "2", "3", "4") else 4


def _regions(doc: ParsedDocument, title: str) -> tuple[str | None, list[str]]:
    stated = doc.meta.get("region", "").strip()
    if stated:
        return stated, []
    places = gazetteer()
    in_title = places.mentioned(title)
    if in_title:
        return in_title[0], []
    head = "".join(block.text for block in doc.blocks[:8])[:HEAD_CHARS]
    return None, places.mentioned(head)
