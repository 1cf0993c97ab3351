"""Puts an assistant's words, its passages and its functions around what a caller asks. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from zhengwu.gateway.assistants.definition import Definition
from zhengwu.gateway.assistants.tools.function import Function
from zhengwu.gateway.wire.errors import UnsupportedParameter

CITE = "以下是检索到的资料，方括号内是条款编号；引用时请注明编号，资料没有写明的不要编造。"
Fields = Mapping[str, Any]


def assisted(
    fields: Fields, definition: Definition, passages: str | None, functions: Sequence[Function]
) -> dict[str, Any]:
    """The chat completion that is asked of the model in truth.

    Raises:
        UnsupportedParameter: the caller brings tools to an assistant that has its own.
    """
    if functions and fields.get("tools"):
        raise UnsupportedParameter("这个助手自带工具，请去掉 tools 后重试。", "tools")
    system = definition.prompt
    if passages:
        system = f"{system}\n\n{CITE}\n\n{passages}"
    messages = [{"role": "system", "content": system}, *fields["messages"]]
    asked = {**fields, "model": definition.model, "messages": messages}
    if functions:
        asked["tools"] = [function.offered() for function in functions]
    return asked


def question_of(fields: Fields) -> str:
    """The text of the last message of the user."""
    for message in reversed(fields["messages"]):
        if message.get("role") != "user":
            continue
        content = message.get("content")
        if isinstance(content, str):
            return content
        parts = content if isinstance(content, list) else []
        return "\n".join(str(p.get("text", "")) for p in parts if p.get("type") == "text")
    return ""
