"""`/api/kb`: what knowledge there is, and the clause that a citation opens."""

from collections.abc import Sequence
from typing import Protocol

from fastapi import APIRouter
from pydantic import BaseModel

from zhengwu.rag.knowledge import KnowledgeBase, OpenClause
from zhengwu.settings import Settings


class KnowledgeReader(Protocol):
    """Reads knowledge. Each raises a ZhengwuError that names what does exist."""

    async def kbs(self) -> Sequence[KnowledgeBase]:
        """Every knowledge base."""
        ...

    async def regions(self, kb: str) -> Sequence[str]:
        """The regions that documents of `kb` are for, as paths."""
        ...

    async def clause(self, kb: str, doc_id: str, clause_id: str) -> OpenClause:
        """One clause with its document and its neighbours."""
        ...


class Shelf(BaseModel):
    """The answer of `GET /api/kb`."""

    kbs: list[KnowledgeBase]
    regions: list[str]
    default_kb: str
    default_region: str


def kb_routes(settings: Settings, knowledge: KnowledgeReader) -> APIRouter:
    """The routes that read knowledge."""
    routes = APIRouter(prefix="/api/kb", tags=["knowledge"])

    @routes.get("")
    async def shelf() -> Shelf:  # pyright: ignore[reportUnusedFunction]
        found = await knowledge.kbs()
        filled = any(kb.name == settings.kb for kb in found)
        return Shelf(
            kbs=list(found),
            regions=list(await knowledge.regions(settings.kb)) if filled else [],
            default_kb=settings.kb,
            default_region=settings.region,
        )

    # A document id may be a path (`行政法/…`), so it takes every segment up to `/clauses/`.
    @routes.get("/{kb}/documents/{doc_id:path}/clauses/{clause_id}")
    async def clause(kb: str, doc_id: str, clause_id: str) -> OpenClause:  # pyright: ignore[reportUnusedFunction]
        return await knowledge.clause(kb, doc_id, clause_id)

    return routes
