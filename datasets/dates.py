"""Dates as official texts write them: 2025年4月1日, 二〇二五年四月一日, 2025-04-01."""

import re
from datetime import date

from zhengwu.datasets.numerals import to_int

_D = r"[0-9０-９〇○零一二三四五六七八九十]"
HAN_DATE = rf"{_D}{{4}}\s*年\s*{_D}{{1,3}}\s*月\s*{_D}{{1,3}}\s*日"
"""Regular expression of a date with 年, 月 and 日, without groups."""
DATE = re.compile(
    rf"(?P<y>{_D}{{4}})\s*年\s*(?P<m>{_D}{{1,3}})\s*月\s*(?P<d>{_D}{{1,3}})\s*日|"
    r"(?<!\d)(?P<iy>(?:19|20)\d\d)-(?P<im>\d{1,2})-(?P<id>\d{1,2})(?!\d)"
)


def read_date(text: str) -> date | None:
    """The first date in a text; None where there is none, or one the calendar does not have."""
    found = DATE.search(text)
    if not found:
        return None
    parts = [found["y"], found["m"], found["d"]] if found["y"] else [*found.group("iy", "im", "id")]
    try:
        return date(*(to_int(part) for part in parts))
    except ValueError:
        return None
