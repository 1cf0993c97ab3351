"""Puts the gateway together: a list of middleware around a list of routers. Opens nothing."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from opentelemetry.trace import Tracer
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.types import ASGIApp

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.assistants.office import AssistantOffice
from zhengwu.gateway.assistants.store import Catalogue
from zhengwu.gateway.edge.body_limit import BodyLimit
from zhengwu.gateway.edge.catch import Catch
from zhengwu.gateway.edge.direct import Direct, Endpoint
from zhengwu.gateway.edge.edge import Edge
from zhengwu.gateway.edge.idempotency import Idempotency
from zhengwu.gateway.edge.observe import Records
from zhengwu.gateway.edge.rate_limit import RULES, RateLimit, Rule
from zhengwu.gateway.errors import Problem, from_error, from_status, from_validation
from zhengwu.gateway.governed.path import Governed
from zhengwu.gateway.governed.ports import Authenticates
from zhengwu.gateway.metrics import Metrics
from zhengwu.gateway.pages import Pages, page_routes
from zhengwu.gateway.reply import note, problem_response
from zhengwu.gateway.routes.admin import admin_routes
from zhengwu.gateway.routes.assistants import assistant_routes
from zhengwu.gateway.routes.batches import batch_routes
from zhengwu.gateway.routes.completions import completion_routes
from zhengwu.gateway.routes.files import PATH as FILES
from zhengwu.gateway.routes.files import file_routes
from zhengwu.gateway.routes.kb import KnowledgeReader, kb_routes
from zhengwu.gateway.routes.openai import openai_posts, openai_routes
from zhengwu.gateway.routes.ops import Check, ops_routes
from zhengwu.gateway.routes.qa import Asker, qa_routes
from zhengwu.gateway.routes.rerank import rerank_routes
from zhengwu.gateway.routes.responses import responses_routes
from zhengwu.gateway.stream import ReaderLeft
from zhengwu.gateway.tenancy.office import Door, Office
from zhengwu.gateway.wire.parts import WireParts
from zhengwu.gateway.wire.through import Asking
from zhengwu.settings import Settings
from zhengwu.tracing import TraceRequests


@dataclass(frozen=True)
class Parts:
    """What the gateway stands on. `parts.py` builds the real ones."""

    callers: Authenticates
    governed: Governed
    office: Office
    door: Door
    asker: Asker
    knowledge: KnowledgeReader
    checks: Sequence[Check]
    pages: Pages
    metrics: Metrics
    wire: WireParts
    catalogue: Catalogue
    assistants: AssistantOffice
    rules: Sequence[Rule] = RULES
    tracer: Tracer | None = None


async def _known(request: Request, error: ZhengwuError) -> Response:
    return _answer(request, from_error(error))


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    return _answer(request, from_validation(error.errors()))


async def _refused(request: Request, error: HTTPException) -> Response:
    return _answer(request, from_status(error.status_code))


async def _left(request: Request, error: ReaderLeft) -> Response:
    note(request.scope, outcome="left")
    return Response(status_code=499)  # nobody reads it


def _answer(request: Request, problem: Problem) -> Response:
    note(request.scope, code=problem.code)
    return problem_response(problem, request.scope)


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    ZhengwuError: _known,
    RequestValidationError: _invalid,
    HTTPException: _refused,
    ReaderLeft: _left,
}


def create_app(settings: Settings, parts: Parts) -> ASGIApp:
    """The gateway as an ASGI application: the edge, in order, around the routes."""
    posts = openai_posts(parts.governed, parts.callers, parts.metrics)
    uploads = {FILES: settings.max_upload_mb << 20}
    edge = [
        Middleware(Edge, records=Records(parts.metrics)),
        Middleware(TraceRequests, tracer=parts.tracer),
        Middleware(RateLimit, callers=parts.callers, rules=parts.rules),
        Middleware(BodyLimit, uploads=uploads),
        Middleware(Idempotency, callers=parts.callers, kept=parts.wire.kept),
        Middleware(Direct, endpoints=posts),
    ]
    app: ASGIApp = _routes(settings, parts, posts)
    for layer, given, named in reversed(edge):
        app = layer(app, *given, **named)
    return app


def _routes(settings: Settings, parts: Parts, posts: Mapping[str, Endpoint]) -> FastAPI:
    app = FastAPI(
        title="政务人工智能中台",
        middleware=[Middleware(Catch)],  # before the framework's own, which answers in English
        docs_url=None,  # both load their scripts from a public network
        redoc_url=None,
        exception_handlers=HANDLERS,
    )
    asking, wire = Asking(parts.callers), parts.wire
    for routes in (
        openai_routes(parts.governed, parts.callers, posts, parts.catalogue),
        assistant_routes(asking, parts.assistants),
        completion_routes(asking, wire.opens, parts.metrics),
        responses_routes(asking, wire, parts.metrics),
        rerank_routes(asking, wire.opens),
        file_routes(asking, wire.files),
        batch_routes(asking, wire.batches, wire.files),
        qa_routes(settings, parts.asker, parts.metrics),
        kb_routes(settings, parts.knowledge),
        *admin_routes(parts.callers, parts.office, parts.door),
        ops_routes(parts.checks, parts.metrics),
        page_routes(parts.pages),
    ):
        app.include_router(routes)
    return app
