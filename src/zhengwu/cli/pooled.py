"""The pool as a command sees it: its embedder and how busy its chat model is. Only wiring."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Self

import orjson

from zhengwu.errors import OutboundError
from zhengwu.gateway.parts import PoolEmbedder
from zhengwu.gateway.served import EMBED_ALIAS, served_models
from zhengwu.models.assemble import assemble
from zhengwu.models.catalogue import load_catalogue
from zhengwu.models.client import ChatClient, EmbedClient
from zhengwu.models.egress import Egress
from zhengwu.models.keys import read_keys
from zhengwu.outbound import Outbound
from zhengwu.settings import Settings


@asynccontextmanager
async def open_embedder(
    settings: Settings, environment: Mapping[str, str]
) -> AsyncGenerator[PoolEmbedder]:
    """The pool's embedding model."""
    keys = read_keys(environment, settings.secrets_file)
    async with Egress(keys=keys) as egress:
        served = served_models(settings, load_catalogue(), keys)
        routing = assemble(served.routes(), egress, served.loads)
        yield PoolEmbedder(EmbedClient(routing.routes, EMBED_ALIAS))


@asynccontextmanager
async def open_chat(
    settings: Settings, environment: Mapping[str, str]
) -> AsyncGenerator[ChatClient]:
    """The pool's chat model, under the alias `CHAT_ALIAS`."""
    keys = read_keys(environment, settings.secrets_file)
    async with Egress(keys=keys) as egress:
        served = served_models(settings, load_catalogue(), keys)
        yield ChatClient(assemble(served.routes(), egress, served.loads).routes)


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
