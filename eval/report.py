"""Write a run beside its scores: configuration, data digests, model ids and every row."""

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zhengwu.eval.cases import file_digest


def write_run(
    folder: Path,
    task: str,
    scores: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    configuration: Mapping[str, Any],
    data: Sequence[Path],
) -> Path:
    """Write `<task>-<time>.json` and its rows as JSON Lines; the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    started = datetime.now(UTC)
    stem = f"{task}-{started:%Y%m%dT%H%M%S%f}"
    head = {
        "task": task,
        "date": started.isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {platform.system()}, Python {sys.version.split()[0]}",
        "configuration": dict(configuration),
        "data": {path.name: file_digest(path) for path in data},
        "scores": dict(scores),
    }
    path = folder / f"{stem}.json"
    path.write_text(json.dumps(head, ensure_ascii=False, indent=2), encoding="utf-8")
    with (folder / f"{stem}.rows.jsonl").open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path
