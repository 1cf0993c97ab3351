"""What the answer path needs of a chat model: one whole reply to one request."""

from typing import Protocol

from zhengwu.models.wire import ChatReply, ChatRequest


class Chat(Protocol):
    """Asks a chat model. The router, a cache or a recorder may stand behind it."""

    async def complete(self, request: ChatRequest, grade: int) -> ChatReply:
        """The whole answer to `request`, whose content has data grade `grade`."""
        ...
