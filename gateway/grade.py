"""The data grade (数据分级) of a pass-through request: the highest of what is declared and found.

Without a declaration a request counts as grade 3, which stays on the pool: it fails closed.
"""

from collections.abc import Iterator

from zhengwu.gateway.errors import BadBody
from zhengwu.pii.detect import detect

HEADER = "x-data-grade"
UNDECLARED = 3
PERSONAL = 3


def grade_of(declared: str | None, body: object) -> int:
    """The grade of a request whose header says `declared` and whose JSON is `body`.

    Raises:
        BadBody: the declaration is not a grade.
    """
    if declared is None:
        return UNDECLARED
    if declared.strip() not in {"1", "2", "3", "4"}:
        raise BadBody(f"请求头 X-Data-Grade 的值“{declared[:20]}”无效，应为 1、2、3 或 4。")
    grade = int(declared)
    if grade < PERSONAL and any(detect(text) for text in _texts(body)):
        return PERSONAL
    return grade


def _texts(value: object) -> Iterator[str]:
    """Every string anywhere in a JSON value, keys too."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item
