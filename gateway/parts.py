"""Builds the real parts of the gateway and closes them again. The only wiring in this room."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.agents.qa.path import citizen_qa
from zhengwu.gateway.app import Parts
from zhengwu.gateway.assistants.assisted import AssistantParts, AssistedGoverned
from zhengwu.gateway.assistants.office import AssistantOffice
from zhengwu.gateway.assistants.store import Catalogue
from zhengwu.gateway.assistants.tools.call import Toolbox
from zhengwu.gateway.assistants.tools.reach import Reach
from zhengwu.gateway.audit.opened import Audit, open_audit
from zhengwu.gateway.governed.caller import CITIZEN, Caller
from zhengwu.gateway.governed.grade import Grading
from zhengwu.gateway.governed.path import Governed, GovernedParts
from zhengwu.gateway.governed.service import GovernedRoutes
from zhengwu.gateway.governed.sessions_in_database import DatabaseSessions
from zhengwu.gateway.limits.open import open_limits
from zhengwu.gateway.metering.burdens import Burdens
from zhengwu.gateway.metering.price import priced
from zhengwu.gateway.metrics import Metrics
from zhengwu.gateway.pages import Pages
from zhengwu.gateway.readiness import database_check, health_urls, knowledge_check, pool_check
from zhengwu.gateway.routes.qa import Asker
from zhengwu.gateway.served import CHAT_ALIAS, EMBED_ALIAS, Served, served_models
from zhengwu.gateway.telemetry import states
from zhengwu.gateway.telemetry.burdened import BurdenedTrail
from zhengwu.gateway.telemetry.limits import WatchedLimits
from zhengwu.gateway.telemetry.states import State
from zhengwu.gateway.tenancy.addresses import follow
from zhengwu.gateway.tenancy.callers import Callers
from zhengwu.gateway.tenancy.changes import Changes
from zhengwu.gateway.tenancy.office import action_trail, open_door, open_office
from zhengwu.gateway.wire.parts import wire_parts
from zhengwu.gateway.wire.through import Carried, KeyOwners
from zhengwu.models.assemble import Routing, assemble
from zhengwu.models.catalogue import load_catalogue
from zhengwu.models.client import ChatClient, EmbedClient
from zhengwu.models.egress import Egress
from zhengwu.models.keys import read_keys
from zhengwu.models.rerank import ChatRerank
from zhengwu.models.traced import Traced
from zhengwu.outbound import Outbound
from zhengwu.rag.index.vectors import Vectors
from zhengwu.rag.knowledge import Knowledge
from zhengwu.settings import Settings
from zhengwu.tracing import open_tracing

QUESTION_GRADE = 3
"""What a citizen types may be personal, so it is embedded on the pool only."""

QUESTIONS = Caller(key_id="service:qa", name="智能问答", role="citizen", priority=CITIZEN)
"""On whose behalf the answer path asks models."""


@dataclass(frozen=True)
class Ground:
    """What an answer path is built on. `chat_model` is the route of the chat model."""

    engine: AsyncEngine
    knowledge: Knowledge
    chat: ChatClient
    chat_model: str = CHAT_ALIAS


MakeAsker = Callable[[Ground], Asker]


def real_asker(ground: Ground) -> Asker:
    """The real answer path."""
    return citizen_qa(ground.engine, ground.knowledge, ground.chat, ground.chat_model)


@dataclass(frozen=True)
class PoolEmbedder:
    """Embeds for search, at the grade of a question."""

    client: EmbedClient

    async def embed(self, texts: Sequence[str], input_type: Literal["query", "passage"]) -> Vectors:
        """One vector a text."""
        return await self.client.embed(texts, input_type, QUESTION_GRADE)


@asynccontextmanager
async def open_parts(
    settings: Settings,
    engine: AsyncEngine,
    make_asker: MakeAsker,
    environment: Mapping[str, str],
) -> AsyncGenerator[Parts]:
    """The real parts. `environment` holds the keys of closed models, by their variables' names."""
    async with AsyncExitStack() as stack:
        tracer = stack.enter_context(
            open_tracing(settings.otlp_endpoint, "zhengwu-gateway", settings.trace_share)
        )
        audit = await stack.enter_async_context(open_audit(settings, engine))
        changes = await stack.enter_async_context(Changes(engine))
        callers = Callers(engine, changes, settings.auth_grace_s)
        await stack.enter_async_context(callers)
        keys = read_keys(environment, settings.secrets_file)
        egress = await stack.enter_async_context(Egress(settings.pool_addresses, keys))
        trail = action_trail(settings, engine, audit.chain)
        office = open_office(settings, engine, changes, trail=trail)
        await follow(office.addresses, changes, egress)
        outbound = await stack.enter_async_context(Outbound("self", 1, timeout_s=2.0))
        sign_in = await stack.enter_async_context(Outbound("sign_in", 1, timeout_s=5.0))
        catalogue = priced(load_catalogue(), settings.prices_file)
        served = served_models(settings, catalogue, keys)
        routing = assemble(served.routes(), Traced(egress), served.loads)
        metrics = Metrics()
        metrics.watch(_states(served, routing, audit))
        limits = await stack.enter_async_context(open_limits(settings, engine))
        path = Governed(
            GovernedParts(
                served=served,
                grades=Grading(DatabaseSessions(engine)),
                limits=WatchedLimits(limits, metrics.limit_reached),
                trail=BurdenedTrail(audit.trail, Burdens(catalogue), metrics.burden),
                routes=ChatRerank(routing.routes, served.by_chat),
                watches=metrics,
            )
        )
        routes = GovernedRoutes(path, QUESTIONS, "/api/qa")
        chat = ChatClient(routes)
        embedder = PoolEmbedder(EmbedClient(routes, EMBED_ALIAS))
        knowledge = Knowledge(engine, settings.store_dir, embedder)
        shared = Catalogue(engine)
        toolbox = Toolbox(Reach(settings.tool_hosts, environment))
        assistants = AssistantParts(shared, KeyOwners(engine), knowledge, toolbox)
        governed = AssistedGoverned(path, assistants)
        pooled = (settings.chat_model, settings.embed_model)
        yield Parts(
            callers=callers,
            office=office,
            door=open_door(settings, engine, office, sign_in),
            governed=governed,
            asker=make_asker(Ground(engine, knowledge, chat)),
            knowledge=knowledge,
            checks=(
                database_check(engine),
                pool_check(outbound, health_urls(settings.pool_port, pooled)),
                knowledge_check(knowledge, settings.kb),
            ),
            pages=Pages(),
            metrics=metrics,
            wire=wire_parts(engine, Carried(governed)),
            tracer=tracer,
            catalogue=shared,
            assistants=AssistantOffice(shared, toolbox, served),
        )


def _states(served: Served, routing: Routing, audit: Audit) -> tuple[State, ...]:
    """What the operator sees of the upstreams and the audit trail."""
    upstreams = {u.name: u for route in served.routes().values() for u in route.upstreams}
    return (
        states.breaker_state(lambda: routing.breakers.states),
        states.waiting_calls(lambda: routing.queue.waiting),
        states.occupied_slots(lambda: {n: routing.loads.of(u).calls for n, u in upstreams.items()}),
        states.slots(lambda: {name: upstream.slots for name, upstream in upstreams.items()}),
        states.audit_waiting(audit.mover.backlog),
        states.audit_failing(lambda: audit.mover.failing),
    )
