"""Working days: against the State Council's notices, and against themselves."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.calendar import add_workdays, is_workday
from zhengwu.errors import LimitError

DAYS = st.dates(date(2010, 1, 1), date(2024, 6, 30))


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2024, 10, 1), False),  # 国办发明电〔2023〕7号: 10月1日至7日放假
        (date(2024, 10, 7), False),
        (date(2024, 10, 8), True),
        (date(2024, 10, 12), True),  # a Saturday made up
        (date(2024, 9, 29), True),  # a Sunday made up
        (date(2024, 2, 9), True),  # 除夕 was a working day in 2024
        (date(2024, 2, 12), False),
        (date(2024, 3, 2), False),
        (date(2024, 3, 4), True),
    ],
)
def test_notices_are_followed(day: date, works: bool) -> None:
    assert is_workday(day) is works


def test_holidays_are_stepped_over() -> None:
    assert add_workdays(date(2024, 9, 30), 1) == date(2024, 10, 8)
    assert add_workdays(date(2024, 9, 27), 2) == date(2024, 9, 30)
    assert add_workdays(date(2024, 10, 1), 0) == date(2024, 10, 1)


@given(DAYS, st.integers(1, 60))
def test_the_result_is_a_working_day_and_none_is_lost(start: date, days: int) -> None:
    end = add_workdays(start, days)
    between = (start + timedelta(days=n) for n in range(1, (end - start).days + 1))
    assert is_workday(end)
    assert sum(is_workday(day) for day in between) == days


@given(DAYS, st.integers(0, 30), st.integers(0, 30))
def test_adding_twice_is_adding_once(start: date, one: int, other: int) -> None:
    assert add_workdays(add_workdays(start, one), other) == add_workdays(start, one + other)


def test_a_year_without_a_notice_is_no_guess() -> None:
    with pytest.raises(LimitError, match="2199"):
        is_workday(date(2199, 5, 5))
    with pytest.raises(LimitError, match="chinesecalendar"):
        add_workdays(date(2198, 12, 31), 1)


def test_negative_days_are_refused() -> None:
    with pytest.raises(LimitError, match="-3"):
        add_workdays(date(2024, 1, 2), -3)
