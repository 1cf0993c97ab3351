"""Callers, limits and sizes of the load: a province with everything below it. Pure data."""

from dataclasses import dataclass
from random import Random

from zhengwu.gateway.governed.caller import Caller, Limit
from zhengwu.gateway.governed.ports import Ask, Spent

KEYS = 40
DEPARTMENTS = 4


@dataclass(frozen=True)
class Sizes:
    """The limits that are pushed at. The defaults are reached with 800 clients in minutes."""

    tokens: int = 500_000
    output_tokens: int = 110_000
    requests: int = 8_000
    concurrency: int = 150
    key_tokens: int = 13_000
    budget: int = 300_000_000


def callers(sizes: Sizes) -> list[Caller]:
    """The callers: province, city, two counties, four departments, forty keys."""
    return [_caller(number, sizes) for number in range(KEYS)]


def _caller(number: int, sizes: Sizes) -> Caller:
    department = number % DEPARTMENTS
    county = department % 2
    path = ("p", "c", f"x{county}", f"d{department}")
    key = f"k{number}"
    limits = (
        Limit("tenant:p", "tokens_per_minute", sizes.tokens),
        Limit("tenant:p", "budget_month", sizes.budget),
        Limit("tenant:c", "requests_per_minute", sizes.requests),
        Limit("tenant:c", "budget_day", sizes.budget),
        Limit(f"tenant:x{county}", "output_tokens_per_minute", sizes.output_tokens),
        Limit(f"tenant:d{department}", "concurrency", sizes.concurrency),
        Limit(f"tenant:d{department}", "input_tokens_per_minute", sizes.tokens),
        Limit(f"key:{key}", "tokens_per_minute", sizes.key_tokens),
        Limit(f"key:{key}", "concurrency", sizes.concurrency),
    )
    return Caller(key, key, path, limits=limits)


def request(chance: Random) -> tuple[Ask, Spent]:
    """What is asked, and what it will turn out to have taken: never more."""
    given, most = chance.randint(10, 60), chance.randint(20, 100)
    told = chance.randint(1, most)
    ask = Ask("bench", "bench", given, most, (given + 4 * most) * 100)
    return ask, Spent(given, told, (given + 4 * told) * 100)
