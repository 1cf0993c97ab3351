"""The pool as a command sees it: its embedder and its chat model. Only wiring."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from zhengwu.gateway.parts import PoolEmbedder
from zhengwu.gateway.served import EMBED_ALIAS, served_models
from zhengwu.models.assemble import assemble
from zhengwu.models.catalogue import load_catalogue
from zhengwu.models.client import ChatClient, EmbedClient
from zhengwu.models.egress import Egress
from zhengwu.models.keys import read_keys
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
