"""Who is calling, with everything that bounds it, as one frozen value. Knows no table."""

from dataclasses import dataclass
from typing import Literal

LimitKind = Literal[
    "requests_per_minute",
    "tokens_per_minute",
    "input_tokens_per_minute",
    "output_tokens_per_minute",
    "concurrency",
    "budget_day",
    "budget_month",
]
"""Budgets are counted in micro-yuan (10⁻⁶ CNY), day and month in China's time."""

CITIZEN, STAFF, BATCH = 0, 1, 2
"""Priorities: the lower is served first."""


@dataclass(frozen=True)
class Limit:
    """At most `amount` of `kind` for everything under `scope` (`key:<id>` or `tenant:<id>`)."""

    scope: str
    kind: LimitKind
    amount: int


@dataclass(frozen=True)
class Caller:
    """One authenticated caller.

    Attributes:
        key_id: The key it came with.
        tenant_path: Ids from the province down to the key's own tenant.
        role: One of `gateway/tenancy/roles.py`.
        grade_ceiling: The lowest ceiling on the path: data of a higher grade is refused.
        models: Names that may be asked for; None is every served one.
        limits: Every limit on the path and of the key, the widest scope first.
        pseudonymise: Grade 3 may leave as grade 1 once its values are placeholders.
        keep_text: The tenant opted into text in the audit trail.
        user_id: The person, where one signed in.
        undeclared_grade: What a request without `X-Data-Grade` counts as; 4 refuses it.
        media_grade: What images, audio and other content that cannot be looked into count as.
        cost_centre: Whom the tenant's costs are charged to.
    """

    key_id: str
    name: str
    tenant_path: tuple[str, ...] = ()
    role: str = "developer"
    grade_ceiling: int = 3
    models: frozenset[str] | None = None
    limits: tuple[Limit, ...] = ()
    priority: int = STAFF
    pseudonymise: bool = False
    keep_text: bool = False
    user_id: str | None = None
    undeclared_grade: int = 3
    media_grade: int = 3
    cost_centre: str = ""

    @property
    def tenant_id(self) -> str:
        """The tenant the key belongs to."""
        return self.tenant_path[-1] if self.tenant_path else ""
