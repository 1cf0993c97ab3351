"""What can go wrong with knowledge.

RagError
├── UnknownKnowledgeBase
├── UnknownRegion
├── UnknownClause       a document or clause that is not in the knowledge base
├── WriterBusy          another process holds the index's write lock
├── BadName             a name that no knowledge base can have
├── BadDocument         what a document says of itself cannot be stored
├── BrokenIndex         a file of the published index is gone
└── BadQuestion         a question that cannot be searched for
"""

from zhengwu.errors import ZhengwuError


class RagError(ZhengwuError):
    """Knowledge cannot be read or written."""

    code = "knowledge"


class UnknownKnowledgeBase(RagError):
    """No knowledge base of that name."""

    code = "unknown_kb"


class UnknownRegion(RagError):
    """No region of that name."""

    code = "unknown_region"


class UnknownClause(RagError):
    """A document or clause that is not in the knowledge base."""

    code = "unknown_clause"


class WriterBusy(RagError):
    """Another process holds the index's write lock."""

    code = "writer_busy"


class BadName(RagError):
    """A name that no knowledge base can have."""

    code = "bad_kb_name"


class BadDocument(RagError):
    """What a document says of itself cannot be stored."""

    code = "bad_document"


class BrokenIndex(RagError):
    """A file of the published index is gone."""

    code = "broken_index"


class BadQuestion(RagError):
    """A question that cannot be searched for."""

    code = "bad_question"
