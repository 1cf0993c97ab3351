"""How busy the pool's chat model is, for work that waits for idle time."""

from typing import Self

import orjson

from zhengwu.errors import OutboundError
from zhengwu.outbound import Outbound
from zhengwu.settings import Settings


class PoolLoad:
    """Asks the chat engine how many requests it works on."""

    def __init__(self, settings: Settings) -> None:
        self._url = f"http://127.0.0.1:{settings.pool_port}/{settings.chat_model}/load"
        self._outbound = Outbound("self", 1, 2.0)

    async def __aenter__(self) -> Self:
        """Open the connection."""
        await self._outbound.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self._outbound.__aexit__()

    async def busy(self) -> bool:
        """Whether somebody waits for the chat model; a pool that does not answer counts as busy."""
        try:
            async with self._outbound.get(self._url) as response:
                if response.status != 200:
                    return True
                return int(orjson.loads(await response.read())["ongoing"]) > 0
        except (OutboundError, orjson.JSONDecodeError, KeyError, TypeError):
            return True
