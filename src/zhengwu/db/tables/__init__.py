"""Every table: the migrations in `migrations/` must lead exactly here.

A test compares the two. Times are UTC; `JSON` columns hold only what no query looks into.
"""

from zhengwu.db.tables.answers import Answer
from zhengwu.db.tables.assistants import Assistant, AssistantShare, AssistantVersion
from zhengwu.db.tables.audit import AuditHead, AuditRecord, AuditState, AuditText, UsageDay
from zhengwu.db.tables.base import NAMING, Serial, Table, in_utc, now
from zhengwu.db.tables.knowledge import AskedRow, Chunk, ClauseRow, Document, Generation
from zhengwu.db.tables.limits import (
    LimitCounter,
    LimitGateway,
    LimitHold,
    LimitLapse,
    LimitSlot,
)
from zhengwu.db.tables.people import (
    OidcState,
    RecoveryCode,
    SignInFailures,
    SignInSession,
    User,
)
from zhengwu.db.tables.pools import PoolVersion, RemotePool
from zhengwu.db.tables.sessions import SessionGrade
from zhengwu.db.tables.tenancy import (
    AdminActionRow,
    ApiKey,
    ChangeCounter,
    PoolAddressList,
    Tenant,
)
from zhengwu.db.tables.wire import (
    Batch,
    BatchLine,
    FilePart,
    IdempotentAnswer,
    StoredResponse,
    WireFile,
)
from zhengwu.db.tables.work import Job

__all__ = [
    "AdminActionRow",
    "Answer",
    "ApiKey",
    "AskedRow",
    "Assistant",
    "AssistantShare",
    "AssistantVersion",
    "AuditHead",
    "AuditRecord",
    "AuditState",
    "AuditText",
    "Batch",
    "BatchLine",
    "ChangeCounter",
    "Chunk",
    "ClauseRow",
    "Document",
    "FilePart",
    "Generation",
    "IdempotentAnswer",
    "Job",
    "LimitCounter",
    "LimitGateway",
    "LimitHold",
    "LimitLapse",
    "LimitSlot",
    "NAMING",
    "OidcState",
    "PoolAddressList",
    "PoolVersion",
    "RecoveryCode",
    "RemotePool",
    "Serial",
    "SessionGrade",
    "SignInFailures",
    "SignInSession",
    "StoredResponse",
    "Table",
    "Tenant",
    "UsageDay",
    "User",
    "WireFile",
    "in_utc",
    "now",
]
