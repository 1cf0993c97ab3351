"""Says which limit was reached, whose it is, what helps, and when to come again."""

import math
from types import MappingProxyType

from zhengwu.gateway.errors import BudgetExhausted, LimitReached
from zhengwu.gateway.governed.caller import Limit
from zhengwu.gateway.limits.kinds import BUDGETS
from zhengwu.gateway.limits.ports import Refused

NAMES = MappingProxyType(
    {
        "requests_per_minute": ("每分钟请求数", "次"),
        "tokens_per_minute": ("每分钟词元数", "个"),
        "input_tokens_per_minute": ("每分钟输入词元数", "个"),
        "output_tokens_per_minute": ("每分钟输出词元数", "个"),
        "concurrency": ("同时进行的请求数", "个"),
        "budget_day": ("当日预算", "元"),
        "budget_month": ("当月预算", "元"),
    }
)


def refusal(limit: Limit, asked: int, refused: Refused) -> LimitReached:
    """The error of a request that `limit` has no room for."""
    name, unit = NAMES[limit.kind]
    told = f"{_whose(limit.scope)}的{name}上限为 {_amount(limit, limit.amount)} {unit}，"
    told += f"已用和已预留 {_amount(limit, refused.used)} {unit}，"
    told += f"本次需要 {_amount(limit, asked)} {unit}。"
    wait_s = None if refused.wait_us is None else max(1, math.ceil(refused.wait_us / 1_000_000))
    kind = BudgetExhausted if limit.kind in BUDGETS else LimitReached
    return kind(told + _remedy(limit, wait_s), limit, wait_s, refused.used, refused.moment_us)


def _remedy(limit: Limit, wait_s: int | None) -> str:
    if wait_s is None:
        return "单次请求已超过上限，请缩短内容、减小 max_tokens，或请管理员调高上限。"
    if limit.kind == "concurrency":
        return "请等正在进行的请求结束后重试，或请管理员调高上限。"
    if limit.kind in BUDGETS:
        return f"请在 {_span(wait_s)}后重试，或请管理员追加预算。"
    return f"请在 {wait_s} 秒后重试，或请管理员调高上限。"


def _whose(scope: str) -> str:
    kind, _, name = scope.partition(":")
    return {"key": f"密钥“{name}”", "tenant": f"单位“{name}”"}.get(kind, f"“{scope}”")


def _amount(limit: Limit, amount: int) -> str:
    return f"{amount / 1_000_000:.2f}" if limit.kind in BUDGETS else str(amount)


def _span(seconds: int) -> str:
    hours = math.ceil(seconds / 3600)
    return f"{math.ceil(hours / 24)} 天" if hours > 48 else f"{hours} 小时"
