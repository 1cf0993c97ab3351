"""One function that a tool offers the model, and how it is called. A value; calls nothing."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_FUNCTIONS = 64


class Function(BaseModel):
    """A function."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str = Field(default="", max_length=2000)
    parameters: Mapping[str, Any]
    """The JSON schema of its arguments."""
    tool: int
    """Which of the assistant's tools offers it."""
    method: Literal["GET", "POST", "MCP"]
    url: str = ""
    """With `{name}` where a path parameter stands."""
    in_path: tuple[str, ...] = ()
    in_query: tuple[str, ...] = ()
    takes_body: bool = False

    def offered(self) -> dict[str, Any]:
        """The function as a chat completion offers it to the model."""
        told = {"name": self.name, "description": self.description}
        return {"type": "function", "function": {**told, "parameters": dict(self.parameters)}}
