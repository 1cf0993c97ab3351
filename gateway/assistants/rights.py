"""What an assistant may do for a caller: never more than either of caller and owner may.

Pure: the same values give the same rights.
"""

from collections.abc import Mapping
from dataclasses import replace

from zhengwu.gateway.assistants.definition import QuotaKind
from zhengwu.gateway.governed.caller import Caller, Limit

Quota = Mapping[QuotaKind, int]


def restricted(
    caller: Caller, owner: Caller, ceiling: int, name: str, shared_with: str | None, quota: Quota
) -> Caller:
    """The caller as the assistant `name` acts for it.

    Args:
        caller: who asks, and pays.
        owner: who registered the assistant, as it is now.
        ceiling: the assistant's own grade ceiling.
        name: of the assistant.
        shared_with: the tenant it is shared with, by which the caller came; None for the owner.
        quota: what that tenant may take of it.
    """
    scope = f"assistant:{name}:{shared_with}"
    limits = tuple(Limit(scope, kind, amount) for kind, amount in sorted(quota.items()))
    return replace(
        caller,
        grade_ceiling=min(caller.grade_ceiling, owner.grade_ceiling, ceiling),
        models=_both(caller.models, owner.models),
        limits=caller.limits + (limits if shared_with is not None else ()),
        pseudonymise=caller.pseudonymise and owner.pseudonymise,
        keep_text=caller.keep_text and owner.keep_text,
        undeclared_grade=max(caller.undeclared_grade, owner.undeclared_grade),
        media_grade=max(caller.media_grade, owner.media_grade),
    )


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other
