"""What can go wrong with tenants, keys, users and what they may do.

GatewayError
├── TenancyError
│   ├── UnknownTenant       no unit of that id
│   ├── UnknownKey          no key of that id
│   ├── UnknownUser         no user of that id or name
│   ├── NameTaken           the name, or one that looks like it, is in use
│   ├── BadName             a name that cannot be told from others
│   ├── BadTree             a level, depth or parent that makes no tree
│   ├── BoundsExceeded      more than the unit above may
│   ├── BadValue            a value that no rule allows
│   └── Forbidden           the role may not do this, or not to this
├── AuthUnavailable         the database is down and the caller is not known here
└── KeyRefused
    └── TenantSuspended     the unit, or one above it, is suspended
"""

from zhengwu.gateway.errors import GatewayError, KeyRefused


class TenancyError(GatewayError):
    """An administrative request cannot be done."""

    code = "tenancy"


class UnknownTenant(TenancyError):
    """No unit of that id."""

    code = "unknown_tenant"


class UnknownKey(TenancyError):
    """No key of that id."""

    code = "unknown_key"


class UnknownUser(TenancyError):
    """No user of that id or name."""

    code = "unknown_user"


class NameTaken(TenancyError):
    """The name, or one that looks like it, is in use."""

    code = "name_taken"


class BadName(TenancyError):
    """A name that cannot be told from others."""

    code = "bad_name"


class BadTree(TenancyError):
    """A level, depth or parent that makes no tree."""

    code = "bad_tree"


class BoundsExceeded(TenancyError):
    """More than the unit above may."""

    code = "bounds_exceeded"


class BadValue(TenancyError):
    """A value that no rule allows."""

    code = "bad_value"


class Forbidden(TenancyError):
    """The role may not do this, or not to this."""

    code = "forbidden"


class AuthUnavailable(GatewayError):
    """The database is down and the caller is not known here. Never a 401."""

    code = "auth_unavailable"


class TenantSuspended(KeyRefused):
    """The unit, or one above it, is suspended."""

    code = "tenant_suspended"
