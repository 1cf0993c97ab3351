"""A chat model whose replies are kept, with the time each took when it was asked for real."""

from zhengwu.agents.qa.chat import Chat
from zhengwu.eval.cache import CallCache, digest
from zhengwu.models.wire import ChatReply, ChatRequest


class CachedChat:
    """Asks the model it wraps only what it was not asked before."""

    def __init__(self, inner: Chat, model: str, cache: CallCache) -> None:
        self._inner = inner
        self._model = model
        self._cache = cache
        self.reused = 0
        """How many replies came from the cache since the last `fresh`."""

    async def complete(self, request: ChatRequest, grade: int) -> ChatReply:
        """The reply, old or new."""
        key = digest("chat", self._model, request.to_json(stream=False).decode())
        known = self._cache.get(key)
        if known is not None:
            self.reused += 1
            return ChatReply.model_validate_json(known)
        reply = await self._inner.complete(request, grade)
        self._cache.put(key, reply.model_dump_json().encode())
        return reply

    def fresh(self) -> bool:
        """Whether nothing was reused since the last call: only then do timings count."""
        reused, self.reused = self.reused, 0
        return reused == 0
