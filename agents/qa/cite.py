"""Citations: quotations of a hit's units under the number of its source."""

from collections.abc import Sequence
from itertools import groupby

from zhengwu.agents.qa.events import Citation, Source
from zhengwu.agents.qa.passage import Unit
from zhengwu.agents.qa.verify import quoted
from zhengwu.rag.knowledge import Hit


def cite(
    sources: Sequence[Source], hit: Hit, label: str, units: Sequence[Unit]
) -> tuple[Citation, ...]:
    """One citation for each clause that the units come from, in order."""
    ref = next((s.ref for s in sources if s.doc_id == hit.document.doc_id), 1)
    exact = [s.ref for s in sources if s.path == hit.path and s.doc_id == hit.document.doc_id]
    return tuple(
        Citation(
            ref=exact[0] if exact else ref,
            doc_id=hit.document.doc_id,
            doc=hit.document.title,
            clause_id=clause_id,
            clause=label,
            quote=quote,
        )
        for clause_id, run in groupby(units, key=lambda unit: unit.clause_id)
        for quote in _joined(list(run))
    )


def quotation(units: Sequence[Unit]) -> str:
    """The units as they are read in one go; what was left out of a clause shows as “……”."""
    text = ""
    for before, unit in zip([None, *units], units, strict=False):
        if before and before.clause_id == unit.clause_id and not _touch(before, unit):
            text = f"{text.rstrip()}……"
        text += unit.text
    return text.strip()


def _touch(before: Unit, unit: Unit) -> bool:
    return quoted(before.text + unit.text, unit.within)


def _joined(run: Sequence[Unit]) -> list[str]:
    """One stretch where the units stand side by side in their clause, else each by itself."""
    whole = "".join(unit.text for unit in run).strip()
    if quoted(whole, run[0].within):
        return [whole]
    return [unit.text.strip() for unit in run]
