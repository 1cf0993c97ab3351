"""What can go wrong with the audit trail.

GatewayError
└── AuditError
    ├── DigestMissing      this Python has no SM3
    ├── JournalUnwritable  the journal cannot take a line, so no request may go out
    ├── NotIntended        an outcome without an intent, or the second one
    ├── SigningKeyWrong    the key is no SM2 key, or not the one that signed the chain so far
    ├── ChainBroken        the chain in the database cannot be continued
    └── BadRange           a range of days that cannot be
"""

from zhengwu.gateway.errors import GatewayError


class AuditError(GatewayError):
    """The audit trail failed."""

    code = "audit"


class DigestMissing(AuditError):
    """This Python has no SM3."""

    code = "digest_missing"


class JournalUnwritable(AuditError):
    """The journal cannot take a line, so no request may go out."""

    code = "audit_unavailable"


class NotIntended(AuditError):
    """An outcome without an intent, or the second one."""

    code = "not_intended"


class SigningKeyWrong(AuditError):
    """The key is no SM2 key, or not the one that signed the chain so far."""

    code = "signing_key"


class ChainBroken(AuditError):
    """The chain in the database cannot be continued."""

    code = "chain_broken"


class BadRange(AuditError):
    """A range of days that cannot be."""

    code = "bad_range"
