"""The prompts: versioned files, filled in. The fixed part comes first: engines keep it cached."""

from functools import cache
from importlib.resources import files

from zhengwu.models.wire import Message


def messages(name: str, **fields: str) -> tuple[Message, ...]:
    """System and user message of the prompt `name`; fields fill the user's part."""
    return (
        Message(role="system", content=_text(name).strip()),
        Message(role="user", content=_text(f"{name}_user").strip().format(**fields)),
    )


@cache
def _text(name: str) -> str:
    folder = files("zhengwu.agents.qa").joinpath("prompts")
    return folder.joinpath(f"{name}.txt").read_text(encoding="utf-8")
