"""What can go wrong with assistants.

WireError
└── AssistantError
    ├── AssistantRefused    a definition or a tool's document is wrong
    ├── AssistantForbidden  another's assistant, or a role that may not
    ├── UnknownAssistant    no such name or version, for this caller
    └── ToolFailed          a tool did not answer as it said it would
"""

from zhengwu.gateway.wire.errors import WireError


class AssistantError(WireError):
    """Something about an assistant failed."""

    code = "assistant"


class AssistantRefused(AssistantError):
    """A definition or a tool's document is wrong."""

    code = "assistant_refused"


class AssistantForbidden(AssistantError):
    """Another's assistant, or a role that may not."""

    code = "assistant_forbidden"


class UnknownAssistant(AssistantError):
    """No such name or version, for this caller."""

    code = "unknown_assistant"


class ToolFailed(AssistantError):
    """A tool did not answer as it said it would. The model is told, the caller is not."""

    code = "tool_failed"
