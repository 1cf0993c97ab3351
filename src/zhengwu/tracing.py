"""Spans from the edge to the engine (OpenTelemetry), and nothing where tracing is off.

The tracer of a request travels in its context: no global provider, and without a tracer `span`
costs less than a microsecond. Spans carry names, counts and codes, never a text: an exception is
noted by its type. Where they go is `open_tracing`'s endpoint, through `outbound.py`.
"""

import asyncio
import logging
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zhengwu.errors import OutboundError, ZhengwuError
from zhengwu.outbound import Outbound

LOG = logging.getLogger("zhengwu.tracing")
PURPOSE = "telemetry"
SEND_TIMEOUT_S = 5.0
Value = str | int | float | bool

_TRACER: ContextVar[Tracer | None] = ContextVar("zhengwu_tracer", default=None)
_OFF: AbstractContextManager[None] = nullcontext()
_W3C = TraceContextTextMapPropagator()


def span(name: str, **facts: Value) -> AbstractContextManager[None]:
    """A span of the request that is being served; nothing if it is not traced.

    Args:
        name: the step, a fixed word.
        facts: counts, codes and names of models; two underscores stand for a dot.
    """
    tracer = _TRACER.get()
    return _OFF if tracer is None else _span(tracer, name, facts)


class CallSpan:
    """A span of a call to another process. It may begin in one task and end in another."""

    def __init__(self, name: str, **facts: Value) -> None:
        """Begin it now, under the present span. Arguments as for `span`."""
        tracer = _TRACER.get()
        self._span = (
            tracer.start_span(name, None, SpanKind.CLIENT, _told(facts)) if tracer else None
        )

    @property
    def headers(self) -> dict[str, str]:
        """The W3C headers that let the other side go on with it; {} if nothing is traced."""
        headers: dict[str, str] = {}
        if self._span is not None:
            _W3C.inject(headers, set_span_in_context(self._span))
        return headers

    def end(self, error: BaseException | None = None, **facts: Value) -> None:
        """End it; of an error only the code or the type is noted."""
        if self._span is None:
            return
        self._span.set_attributes(_told(facts))
        if error is not None:
            _note(self._span, error)
        self._span.end()


class TraceRequests:
    """ASGI middleware: one span a request, continuing the caller's trace."""

    def __init__(self, app: ASGIApp, tracer: Tracer | None) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._tracer is None or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 499

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        before = attach(_parent(scope))
        traced = _TRACER.set(self._tracer)
        try:
            method = scope["method"]
            with self._tracer.start_as_current_span(
                method, kind=SpanKind.SERVER, record_exception=False, set_status_on_exception=False
            ) as current:
                try:
                    await self._app(scope, receive, watch)
                finally:
                    route = str(getattr(scope.get("route"), "path", "-"))
                    current.update_name(f"{method} {route}")
                    current.set_attribute("http.route", route)
                    current.set_attribute("http.response.status_code", status)
                    name = scope.get("state", {}).get("request_id")
                    if name:
                        current.set_attribute("zhengwu.request_id", name)
        finally:
            _TRACER.reset(traced)
            detach(before)


def _parent(scope: Scope) -> Context:
    kept = (b"traceparent", b"tracestate")
    carrier = {k.decode(): v.decode("latin-1") for k, v in scope["headers"] if k in kept}
    return _W3C.extract(carrier)


@contextmanager
def _span(tracer: Tracer, name: str, facts: dict[str, Value]) -> Generator[None]:
    with tracer.start_as_current_span(
        name, attributes=_told(facts), record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except BaseException as error:
            _note(current, error)
            raise


def _note(noted: Span, error: BaseException) -> None:
    code = error.code if isinstance(error, ZhengwuError) else type(error).__name__
    noted.set_attribute("error.type", code)
    if not isinstance(error, asyncio.CancelledError | GeneratorExit):
        noted.set_status(StatusCode.ERROR)


def _told(facts: dict[str, Value]) -> dict[str, Value]:
    return {key.replace("__", "."): value for key, value in facts.items()}


class OtlpExporter(SpanExporter):
    """Posts spans to an OTLP/HTTP collector. Called in the processor's own thread."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; what a collector does not take is dropped, and said once a batch."""
        body = encode_spans(spans).SerializeToString()
        try:
            status = asyncio.run(self._post(body))
        except OutboundError as error:
            LOG.warning("%d spans are lost: %s", len(spans), error.code)
            return SpanExportResult.FAILURE
        if status >= 300:
            LOG.warning("%d spans are lost: the collector answers %d", len(spans), status)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    async def _post(self, body: bytes) -> int:
        headers = {"content-type": "application/x-protobuf"}
        async with Outbound(PURPOSE, 1, SEND_TIMEOUT_S) as outbound:
            async with outbound.post(self._endpoint, body, headers) as answer:
                await answer.read()
                return answer.status


@contextmanager
def open_tracing(
    endpoint: str | None, service: str, share: float = 1.0, delay_ms: float = 2000
) -> Generator[Tracer | None]:
    """A tracer that sends to `endpoint` until the context is left; None without an endpoint.

    Args:
        endpoint: where OTLP over HTTP is taken, for instance http://127.0.0.1:4318/v1/traces.
        service: the name of this process in traces.
        share: of the requests whose caller did not decide, how many are traced.
        delay_ms: how long spans wait for others.
    """
    if endpoint is None:
        yield None
        return
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(share)),
        resource=Resource({"service.name": service}),
        shutdown_on_exit=False,
    )
    exporter = OtlpExporter(endpoint)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=delay_ms))
    try:
        yield provider.get_tracer("zhengwu")
    finally:
        provider.shutdown()
