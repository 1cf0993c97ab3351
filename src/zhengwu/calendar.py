"""Working days and public holidays of mainland China.

The holiday notices of the State Council come as data from the `chinesecalendar` package, which
is renewed each winter; a year it does not know yet is an error, never a guess.
"""

from datetime import date, timedelta

import chinese_calendar

from zhengwu.errors import LimitError


def is_workday(day: date) -> bool:
    """Whether offices work on `day`, make-up days included.

    Raises:
        LimitError: the holiday notice of that year is not known yet.
    """
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError as error:
        raise LimitError(
            f"尚无 {day.year} 年的节假日安排，无法推算工作日；请更新 chinesecalendar 后重试"
        ) from error


def add_workdays(start: date, days: int) -> date:
    """The working day that is `days` working days after `start`, the first day not counted."""
    if days < 0:
        raise LimitError(f"工作日数不能为负：{days}")
    day = start
    while days:
        day += timedelta(days=1)
        days -= is_workday(day)
    return day
