"""The `x-ratelimit-*` headers of OpenAI's wire, from a reservation. Knows no HTTP library."""

from zhengwu.gateway.governed.ports import Reservation
from zhengwu.gateway.limits.limiter import Held

NAMES = (("requests_per_minute", "requests"), ("tokens_per_minute", "tokens"))


def rate_headers(reservation: Reservation) -> dict[str, str]:
    """What is left under the tightest limit of each kind; nothing where there is no limit.

    The window slides, so `reset`, the time until all of it is free again, is one minute.
    """
    if not isinstance(reservation, Held):
        return {}
    headers: dict[str, str] = {}
    for kind, name in NAMES:
        left = [
            (limit.amount - used, limit.amount)
            for limit, used in zip(reservation.limits, reservation.taken.used, strict=False)
            if limit.kind == kind
        ]
        if left:
            remaining, most = min(left)
            headers[f"x-ratelimit-limit-{name}"] = str(most)
            headers[f"x-ratelimit-remaining-{name}"] = str(max(0, remaining))
            headers[f"x-ratelimit-reset-{name}"] = "1m0s"
    return headers
