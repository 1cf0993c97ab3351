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
from zhengwu.db.tables.pools import PoolVersion, RemotePool
from zhengwu.db.tables.sessions import SessionGrade
from zhengwu.db.tables.tenancy import ApiKey
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
    "NAMING",
    "Answer",
    "ApiKey",
    "AskedRow",
    "Assistant",
    "AssistantShare",
    "AssistantVersion",
    "Batch",
    "BatchLine",
    "AuditHead",
    "AuditRecord",
    "AuditState",
    "AuditText",
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
    "PoolVersion",
    "RemotePool",
    "Serial",
    "SessionGrade",
    "StoredResponse",
    "Table",
    "WireFile",
    "in_utc",
    "UsageDay",
    "now",
]
