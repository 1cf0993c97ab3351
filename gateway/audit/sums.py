"""Sums of a group of records by day, tenant, key and model. Knows rows; knows no database."""

from collections.abc import Iterable, Mapping
from typing import Any

from zhengwu.gateway.audit.record import REQUEST

GROUPS = ("day", "tenant", "key_id", "model")
FIGURES = ("input_tokens", "output_tokens", "cost", "energy_wh", "co2e_g")


def usage_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each day, tenant, key and model, with the sums of the requests among `rows`."""
    sums: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        if row["kind"] != REQUEST:
            continue
        names = tuple(str(row[group]) for group in GROUPS)
        total = sums.get(names)
        if total is None:
            total = {group: row[group] for group in (*GROUPS, "path")}
            total |= dict.fromkeys(("requests", "failed", *FIGURES), 0)
            sums[names] = total
        total["requests"] += 1
        total["failed"] += row["outcome"] != "done"
        for figure in FIGURES:
            total[figure] += row[figure]
    return list(sums.values())
