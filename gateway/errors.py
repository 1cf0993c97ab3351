"""The gateway's own errors, and the one place where any error becomes an HTTP answer.

ZhengwuError
└── GatewayError
    ├── KeyRefused          no key, or one that is not known, revoked or past its date
    ├── TenancyError …      tenants, keys, users and roles: `tenancy/errors.py`
    ├── SignInError …       signing in: `signin/errors.py`
    ├── TooManyRequests     an address asks too often
    ├── LimitReached        a limit of the caller has no room
    │   └── BudgetExhausted the money of the day or month is spent or reserved
    ├── LimitsUnavailable   the database that counts does not answer
    ├── BodyTooLarge        a body over the limit
    ├── BodyTooSlow         a body that does not arrive
    ├── BadBody             a body that is not what the route takes
    ├── NotJson             a body that is not JSON
    ├── ModelNotAllowed     the caller may not ask for this model
    ├── SecretRefused       data of grade 4, which no model may have
    ├── GradeTooHigh        data of a grade above the caller's ceiling
    ├── SessionsDown        the grades of conversations cannot be read or kept
    ├── QuestionEmpty       nothing left to ask
    ├── QuestionTooLong     more characters than the setting allows
    ├── PageNotBuilt        the pages were never built
    ├── PortTaken           another process listens there
    ├── AlreadyRunning      another gateway works on the same SQLite database
    ├── NeedsServerDatabase several processes on SQLite
    └── WorkersFailed       processes that end as soon as they have started

Three shapes go out: OpenAI's for `/v1`, Cohere's for `/v2`, ours else. Never a stack trace.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.governed.caller import Limit


class GatewayError(ZhengwuError):
    """A request cannot be served."""

    code = "gateway"


class KeyRefused(GatewayError):
    """No key, or one that is not known, revoked or past its date."""

    code = "invalid_api_key"


class TooManyRequests(GatewayError):
    """An address asks too often. `wait_s`: when it may ask again."""

    code = "too_many_requests"

    def __init__(self, message: str, wait_s: int) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class LimitReached(GatewayError):
    """A limit of the caller has no room.

    Attributes:
        limit: The limit, with its scope and kind.
        wait_s: When to come again, in seconds; None if the request alone is over the limit.
        used: What was settled and reserved under it.
        moment_us: When that was, by the clock that counts.
    """

    code = "limit_reached"

    def __init__(
        self, message: str, limit: Limit, wait_s: int | None, used: int = 0, moment_us: int = 0
    ) -> None:
        super().__init__(message)
        self.limit = limit
        self.wait_s = wait_s
        self.used = used
        self.moment_us = moment_us


class BudgetExhausted(LimitReached):
    """The money of the day or month is spent or reserved."""

    code = "budget_exhausted"


class LimitsUnavailable(GatewayError):
    """The database that counts does not answer: nothing is let through uncounted."""

    code = "limits_unavailable"


class BodyTooLarge(GatewayError):
    """A body over the limit."""

    code = "body_too_large"


class BodyTooSlow(GatewayError):
    """A body that does not arrive."""

    code = "body_too_slow"


class BadBody(GatewayError):
    """A body that is not what the route takes."""

    code = "bad_request"


class SecretRefused(GatewayError):
    """Data of grade 4, which no model may have."""

    code = "secret_refused"


class GradeTooHigh(GatewayError):
    """Data of a grade above the caller's ceiling."""

    code = "grade_too_high"


class SessionsDown(GatewayError):
    """The grades of conversations cannot be read or kept."""

    code = "sessions_down"


class NotJson(GatewayError):
    """A body that is not JSON."""

    code = "not_json"


class ModelNotAllowed(GatewayError):
    """The caller may not ask for this model."""

    code = "model_not_allowed"


class QuestionEmpty(GatewayError):
    """Nothing left to ask."""

    code = "question_empty"


class QuestionTooLong(GatewayError):
    """More characters than the setting allows."""

    code = "question_too_long"


class PageNotBuilt(GatewayError):
    """The pages were never built."""

    code = "page_not_built"


class PortTaken(GatewayError):
    """Another process listens there."""

    code = "port_taken"


class AlreadyRunning(GatewayError):
    """Another gateway works on the same SQLite database."""

    code = "already_running"


class NeedsServerDatabase(GatewayError):
    """Several processes on SQLite."""

    code = "needs_server_database"


class WorkersFailed(GatewayError):
    """Processes that end as soon as they have started."""

    code = "workers_failed"


STATUS: Mapping[str, int] = MappingProxyType(
    {
        "invalid_api_key": 401,
        "tenant_suspended": 403,
        "auth_unavailable": 503,
        "forbidden": 403,
        "sign_in_refused": 401,
        "second_factor_needed": 401,
        "session_ended": 401,
        "weak_password": 422,
        "csrf_refused": 403,
        "seal_broken": 503,
        "provider_refused": 401,
        "provider_unavailable": 502,
        "provider_not_configured": 404,
        "locked_out": 429,
        "unknown_tenant": 404,
        "unknown_key": 404,
        "unknown_user": 404,
        "name_taken": 409,
        "bad_name": 422,
        "bad_tree": 422,
        "bounds_exceeded": 422,
        "bad_value": 422,
        "too_many_requests": 429,
        "limit_reached": 429,
        "budget_exhausted": 429,
        "limits_unavailable": 503,
        "body_too_large": 413,
        "body_too_slow": 408,
        "bad_request": 422,
        "not_json": 400,
        "model_not_allowed": 403,
        "secret_refused": 403,
        "grade_too_high": 403,
        "sessions_down": 503,
        "question_empty": 422,
        "question_too_long": 413,
        "page_not_built": 503,
        "invalid_request": 400,
        "unsupported_parameter": 400,
        "invalid_value": 400,
        "not_found": 404,
        "wrong_state": 409,
        "idempotency_conflict": 409,
        "audit_unavailable": 503,
        "assistant": 400,
        "assistant_refused": 400,
        "assistant_forbidden": 403,
        "unknown_assistant": 404,
        "tool_failed": 502,
        "limit": 413,
        "outbound": 502,
        "bad_question": 422,
        "unknown_kb": 404,
        "unknown_region": 422,
        "unknown_clause": 404,
        "writer_busy": 503,
        "broken_index": 503,
        "model": 400,
        "unknown_model": 404,
        "weights": 503,
        "weights_missing": 503,
        "egress_refused": 403,
        "redirect_refused": 502,
        "upstream": 502,
        "upstream_down": 503,
        "upstream_key_missing": 503,
        "upstream_failed": 502,
        "upstream_slow": 504,
        "upstream_limited": 429,
        "upstream_rejects": 502,
        "upstream_garbled": 502,
        "context_overflow": 400,
        "content_refused": 400,
        "upstream_cut": 502,
        "upstream_busy": 503,
        "upstream_resting": 503,
        "deadline_passed": 504,
        "no_upstream": 503,
        "routes": 503,
    }
)
"""A code that is not here is our own failure: 500."""

OPENAI_CODES = MappingProxyType(
    {
        "unknown_model": "model_not_found",
        "context_overflow": "context_length_exceeded",
        "content_refused": "content_filter",
        "limit_reached": "rate_limit_exceeded",
        "budget_exhausted": "insufficient_quota",
    }
)
OPENAI_TYPES = MappingProxyType(
    {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
)

INTERNAL_CODE = "internal"
INTERNAL = "系统内部错误，请稍后重试；如仍有问题，请把请求编号告知管理员。"
HTTP_MESSAGES = MappingProxyType(
    {
        400: ("bad_request", "请求格式有误，请按接口文档检查后重试。"),
        404: ("not_found", "没有这个地址，请检查路径。"),
        405: ("method_not_allowed", "这个地址不支持该请求方法。"),
    }
)


@dataclass(frozen=True)
class Problem:
    """An error on its way out."""

    status: int
    code: str
    message: str
    param: str | None = None
    wait_s: int | None = None


def from_error(error: ZhengwuError) -> Problem:
    """What a known error becomes; a code without a status is a 500 that tells no inner detail."""
    status = STATUS.get(error.code, 500)
    if status == 500:
        return Problem(500, INTERNAL_CODE, INTERNAL)
    if error.code == "upstream_failed":
        status = _upstream_status(getattr(error, "status", 502))
    param = "model" if error.code == "unknown_model" else getattr(error, "param", None)
    wait_s = _wait_of(error)
    return Problem(status, error.code, str(error), param, wait_s)


def _wait_of(error: ZhengwuError) -> int | None:
    wait_s: float | None = getattr(error, "wait_s", None)
    return None if wait_s is None else max(1, math.ceil(wait_s))


def _upstream_status(status: int) -> int:
    """The caller's own faults and 'busy' pass; anything else is the upstream's failure.

    401 and 403 would say that the caller's key is wrong, when it is ours that was refused.
    """
    return status if status in {400, 404, 413, 422, 429, 503} else 502


def from_validation(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """What a body, path or query that does not fit becomes."""
    first = errors[0]
    where = ".".join(str(part) for part in first.get("loc", ())[1:])
    if first.get("type") == "json_invalid":
        return Problem(400, "bad_request", "请求体不是有效的 JSON，请检查后重试。")
    told = "；".join(_tell(error) for error in errors[:3])
    return Problem(422, "bad_request", f"请求参数有误：{told}。", where or None)


def _tell(error: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in error.get("loc", ())[1:]) or "请求体"
    kind = str(error.get("type", ""))
    if kind == "missing":
        return f"缺少 {where}"
    if kind == "extra_forbidden":
        return f"不认识的字段 {where}"
    return f"{where} 的值不符合要求（{error.get('msg', kind)}）"


def from_status(status: int) -> Problem:
    """What a framework's own refusal (no such path, no such method) becomes."""
    code, message = HTTP_MESSAGES.get(status, ("http_error", "请求无法处理，请检查后重试。"))
    return Problem(status, code, message)


def body_of(problem: Problem, path: str, request_id: str) -> bytes:
    """The JSON of `problem`: OpenAI's shape for `/v1`, Cohere's for `/v2`, ours elsewhere."""
    if path.startswith("/v2/"):
        return orjson.dumps({"id": request_id, "message": problem.message})
    if not path.startswith("/v1/"):
        told = {"code": problem.code, "message": problem.message, "request_id": request_id}
        return orjson.dumps({"error": told})
    server_side = problem.status >= 500
    kind = OPENAI_TYPES.get(
        problem.status, "server_error" if server_side else "invalid_request_error"
    )
    if problem.code == "budget_exhausted":
        kind = "insufficient_quota"
    openai = {
        "message": problem.message,
        "type": kind,
        "param": problem.param,
        "code": OPENAI_CODES.get(problem.code, problem.code),
    }
    return orjson.dumps({"error": openai})
