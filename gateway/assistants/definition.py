"""What a department registers: the shape of an assistant. A version of it never changes."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

NAME = re.compile(r"[a-z0-9\u4e00-\u9fff][a-z0-9\u4e00-\u9fff._-]{0,47}")
PREFIX = "assistant:"
MAX_PROMPT, MAX_TOOLS, MAX_KBS = 20_000, 8, 8
QuotaKind = Literal[
    "requests_per_minute", "tokens_per_minute", "concurrency", "budget_day", "budget_month"
]
Quota = dict[QuotaKind, Annotated[int, Field(ge=0, le=10**15)]]


class Frozen(BaseModel):
    """A value that rejects keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolBase(Frozen):
    """What every source of tools says.

    `grade`: the highest grade of data that may be sent there; what comes back counts as it, too.
    `key_env`: the variable with its key, which must begin with `ZHENGWU_TOOL_`.
    """

    grade: int = Field(ge=1, le=3)
    key_env: str | None = Field(default=None, pattern=r"^ZHENGWU_TOOL_[A-Z0-9_]{1,60}$")
    only: tuple[str, ...] = Field(default=(), max_length=64)
    """The operations that are offered; none named is all."""


class OpenApiTool(ToolBase):
    """An OpenAPI document, whose operations are offered as functions."""

    kind: Literal["openapi"]
    document: dict[str, Any]


class McpTool(ToolBase):
    """An MCP server over streamable HTTP."""

    kind: Literal["mcp"]
    url: str = Field(pattern=r"^https?://[^\s]{1,500}$")


Tool = Annotated[OpenApiTool | McpTool, Field(discriminator="kind")]


class Definition(Frozen):
    """An assistant."""

    name: str = Field(pattern=r"^[a-z0-9\u4e00-\u9fff][a-z0-9\u4e00-\u9fff._-]{0,47}$")
    title: str = Field(min_length=1, max_length=100)
    prompt: str = Field(min_length=1, max_length=MAX_PROMPT)
    model: str = Field(min_length=1, max_length=200)
    grade_ceiling: int = Field(ge=1, le=3)
    kbs: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = Field(
        default=(), max_length=MAX_KBS
    )
    passages: int = Field(default=3, ge=1, le=10)
    """How many passages of the knowledge bases are put before the model."""
    tools: tuple[Tool, ...] = Field(default=(), max_length=MAX_TOOLS)


def asked_name(model: str) -> tuple[str, int | None]:
    """The name and the pinned version in `assistant:<name>[@<version>]`."""
    name, _, version = model.removeprefix(PREFIX).partition("@")
    pinned = version.isascii() and version.isdigit() and len(version) < 7
    return (name, int(version)) if pinned else (model.removeprefix(PREFIX), None)
