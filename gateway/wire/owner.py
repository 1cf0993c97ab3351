"""Who may see what a caller leaves behind. Knows no table."""

from zhengwu.gateway.governed.caller import Caller


def owner_of(caller: Caller) -> str:
    """The person where one signed in, else the tenant, else the key itself.

    Keys of one tenant share files, batches and responses, so a key can be rotated.
    """
    if caller.user_id:
        return f"user:{caller.user_id}"
    return f"tenant:{caller.tenant_id}" if caller.tenant_id else f"key:{caller.key_id}"
