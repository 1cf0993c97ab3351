"""A tiny evaluation set: documents, distractors and cases as files."""

import json
from pathlib import Path

DOCS = (
    {"docid": "lamp", "title": "灯塔管理办法", "text": "灯塔许可应当在十五日内办结。"},
    {"docid": "a/船", "title": "渔船补贴办法", "text": "渔船补贴每年九百元，由渔业局发放。"},
    {"docid": "copy", "text": "渔业工作要点\n\n渔船补贴每年九百元，由渔业局发放，另见通知。"},
    {"docid": "well", "title": "水井须知", "text": "水井取水应当先登记。"},
)  # fmt: skip
CASES = (
    {"id": 1, "question": "灯塔许可多少日办结？", "docid": "lamp", "answer": "十五日内办结"},
    {"id": 2, "question": "渔船补贴每年多少元？", "docid": "a/船", "answer": "每年九百 元"},
    {"id": 3, "question": "水井取水先做什么？", "docid": "well", "answer": "应当先登记"},
)


def write_set(folder: Path) -> tuple[Path, Path, Path]:
    """The docs file, the cases file and a folder of distractors."""
    docs, cases, others = folder / "docs.jsonl", folder / "cases.jsonl", folder / "others"
    for path, rows in ((docs, DOCS), (cases, CASES)):
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        path.write_text("\n".join(lines), encoding="utf-8")
    others.mkdir()
    (others / "风车.md").write_text("# 风车\n\n风车检修应当在六十日内完成。", encoding="utf-8")
    return docs, cases, others
