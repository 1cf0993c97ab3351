"""What bounds a tenant or key, and which of two bounds is tighter. Knows no table.

`meet` is the one definition of "tighter": the effective bounds of a path are its meet, and a
child exceeds its parent where the meet changes what the child says.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import get_args

from zhengwu.gateway.governed.caller import STAFF, Limit, LimitKind
from zhengwu.gateway.tenancy.errors import BadValue, BoundsExceeded

HIGHEST_CEILING = 3
"""Grade 4 is refused at the door, so no ceiling allows it."""
UNDECLARED = 3
LIMIT_KINDS: tuple[LimitKind, ...] = get_args(LimitKind)
MAX_AMOUNT = 10**15
MAX_MODELS, MAX_MODEL_NAME = 500, 200


@dataclass(frozen=True)
class Bounds:
    """What one tenant or key says. None says nothing, so what is above it holds.

    Attributes:
        grade_ceiling: 1 to 3.
        models: names that may be asked for.
        limits: at most so much of each kind.
        priority: 0 is served first.
        undeclared_grade: what a request without a grade counts as; 4 refuses it.
        media_grade: what content that cannot be looked into counts as; 4 refuses it.
        pseudonymise: every unit on the path must consent.
        keep_text: every unit on the path must consent.
    """

    grade_ceiling: int | None = None
    models: frozenset[str] | None = None
    limits: Mapping[LimitKind, int] = field(default_factory=dict[LimitKind, int])
    priority: int | None = None
    undeclared_grade: int | None = None
    media_grade: int | None = None
    pseudonymise: bool | None = None
    keep_text: bool | None = None


UNBOUNDED = Bounds()


def meet(one: Bounds, other: Bounds) -> Bounds:
    """The loosest bounds that neither of two exceeds."""
    return Bounds(
        grade_ceiling=_least(one.grade_ceiling, other.grade_ceiling),
        models=_common(one.models, other.models),
        limits=_lower(one.limits, other.limits),
        priority=_greatest(one.priority, other.priority),
        undeclared_grade=_greatest(one.undeclared_grade, other.undeclared_grade),
        media_grade=_greatest(one.media_grade, other.media_grade),
        pseudonymise=_both(one.pseudonymise, other.pseudonymise),
        keep_text=_both(one.keep_text, other.keep_text),
    )


def narrow(path: Iterable[Bounds]) -> Bounds:
    """The bounds in force at the end of a path that starts at the root."""
    found = UNBOUNDED
    for bounds in path:
        found = meet(found, bounds)
    return found


def limits_on(path: Iterable[tuple[str, Bounds]]) -> tuple[Limit, ...]:
    """Every limit of a path of (scope, bounds), widest scope first, none above a wider one."""
    found: list[Limit] = []
    lowest: dict[LimitKind, int] = {}
    for scope, bounds in path:
        for kind, amount in bounds.limits.items():
            lowest[kind] = min(amount, lowest.get(kind, amount))
            found.append(Limit(scope, kind, lowest[kind]))
    return tuple(found)


def effective_ceiling(bounds: Bounds) -> int:
    """The grade ceiling in force."""
    return HIGHEST_CEILING if bounds.grade_ceiling is None else bounds.grade_ceiling


def effective_priority(bounds: Bounds) -> int:
    """The priority in force."""
    return STAFF if bounds.priority is None else bounds.priority


def effective_undeclared(bounds: Bounds) -> int:
    """What an undeclared request counts as."""
    return UNDECLARED if bounds.undeclared_grade is None else bounds.undeclared_grade


def effective_media(bounds: Bounds) -> int:
    """What content that cannot be looked into counts as."""
    return UNDECLARED if bounds.media_grade is None else bounds.media_grade


def check_fits(own: Bounds, above: Bounds) -> None:
    """Refuse bounds that exceed those above.

    Raises:
        BoundsExceeded: names every field, the value and what is allowed.
    """
    met = meet(own, above)
    wrong: list[str] = []
    for name, told in FIELDS.items():
        value = getattr(own, name)
        if value is not None and value != getattr(met, name):
            wrong.append(f"{told}（上级为{_shown(getattr(above, name))}）")
    for kind, amount in own.limits.items():
        if amount != met.limits[kind]:
            wrong.append(f"限额 {kind} {amount}（上级为 {above.limits[kind]}）")
    if wrong:
        raise BoundsExceeded(
            f"超出上级单位的范围：{'、'.join(wrong)}。请调低，或先请管理员放宽上级单位。"
        )


FIELDS: Mapping[str, str] = {
    "grade_ceiling": "数据分级上限",
    "models": "可用模型",
    "priority": "优先级",
    "undeclared_grade": "未声明分级的处理",
    "media_grade": "无法检测内容的分级",
    "pseudonymise": "假名化外发",
    "keep_text": "留存原文",
}


def check_values(bounds: Bounds) -> None:
    """Refuse values that no rule allows.

    Raises:
        BadValue: names the field and what would be right.
    """
    _within("数据分级上限", bounds.grade_ceiling, 1, HIGHEST_CEILING)
    _within("优先级", bounds.priority, 0, 2)
    _within("未声明分级的处理", bounds.undeclared_grade, 1, 4)
    _within("无法检测内容的分级", bounds.media_grade, 1, 4)
    for kind, amount in bounds.limits.items():
        if kind not in LIMIT_KINDS:
            raise BadValue(f"没有名为“{str(kind)[:40]}”的限额，可选：{'、'.join(LIMIT_KINDS)}。")
        _within(f"限额 {kind}", amount, 0, MAX_AMOUNT)
    if bounds.models is not None:
        if len(bounds.models) > MAX_MODELS:
            raise BadValue(f"可用模型最多 {MAX_MODELS} 个，请分单位设置。")
        if not all(0 < len(name) <= MAX_MODEL_NAME for name in bounds.models):
            raise BadValue(f"模型名应为 1 至 {MAX_MODEL_NAME} 个字符。")


def _within(told: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise BadValue(f"{told} {value} 无效，应为 {least} 至 {most}。")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "允许" if value else "不允许"
    if isinstance(value, frozenset):
        names = sorted(str(name) for name in value)  # pyright: ignore[reportUnknownArgumentType]
        return "、".join(names[:5]) + ("等" if len(names) > 5 else "") or "（无）"
    return str(value)


def _least(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else min(one, other)


def _greatest(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else max(one, other)


def _both(one: bool | None, other: bool | None) -> bool | None:
    return one if other is None else other if one is None else one and other


def _common(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    return one if other is None else other if one is None else one & other


def _lower(one: Mapping[LimitKind, int], other: Mapping[LimitKind, int]) -> Mapping[LimitKind, int]:
    kinds: list[LimitKind] = [kind for kind in LIMIT_KINDS if kind in one or kind in other]
    return {kind: min(m[kind] for m in (one, other) if kind in m) for kind in kinds}


def parse_limits(
    ceiling: int | None, models: Iterable[str] | None, limits: Iterable[str] | None
) -> Bounds:
    """Bounds as they are written on a command line (`tokens_per_minute=100000`).

    Raises:
        BadValue: a limit is not `kind=amount`.
    """
    amounts: dict[LimitKind, int] = {}
    for text in limits or ():
        kind, _, amount = text.partition("=")
        found: LimitKind | None = next((known for known in LIMIT_KINDS if known == kind), None)
        if found is None or not amount.isdecimal():
            raise BadValue(
                f"限额“{text[:60]}”无效，应为 种类=数值，种类：{'、'.join(LIMIT_KINDS)}。"
            )
        amounts[found] = int(amount)
    return Bounds(ceiling, frozenset(models) if models else None, amounts)
