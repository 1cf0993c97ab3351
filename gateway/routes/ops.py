"""`/healthz`, `/readyz`, `/metrics`: what an operator and a load balancer ask."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from zhengwu.gateway.metrics import Metrics

PART_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class PartState:
    """How one part is. `detail` is Chinese; `figures` are counts."""

    ok: bool
    detail: str
    figures: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """A part to look at. Readiness needs only what is `required`."""

    name: str
    look: Callable[[], Awaitable[PartState]]
    required: bool = True


def ops_routes(checks: Sequence[Check], metrics: Metrics) -> APIRouter:
    """The routes of operation. They tell counts and states, and need no key."""
    routes = APIRouter(tags=["ops"])

    @routes.get("/healthz")
    async def healthz() -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        return {"status": "ok"}

    @routes.get("/readyz")
    async def readyz() -> JSONResponse:  # pyright: ignore[reportUnusedFunction]
        states = await asyncio.gather(*(_look(check) for check in checks))
        ready = all(s.ok for check, s in zip(checks, states, strict=True) if check.required)
        parts = {c.name: asdict(s) for c, s in zip(checks, states, strict=True)}
        return JSONResponse({"ready": ready, "parts": parts}, 200 if ready else 503)

    @routes.get("/metrics")
    async def figures() -> Response:  # pyright: ignore[reportUnusedFunction]
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes


async def _look(check: Check) -> PartState:
    try:
        async with asyncio.timeout(PART_TIMEOUT_S):
            return await check.look()
    except TimeoutError:
        return PartState(False, f"{PART_TIMEOUT_S:.0f} 秒内没有应答")
