"""The knowledge store as a LangChain retriever, so that departments can build on it."""

import asyncio
from datetime import date

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from zhengwu.rag.knowledge import Hit, Knowledge
from zhengwu.rag.snapshot import Request


class KnowledgeRetriever(BaseRetriever):
    """Finds chunks of one knowledge base. `metadata` carries document, clauses, path and status."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    knowledge: Knowledge
    kb: str
    region: str | None = None
    top: int = 5

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        return await self._find(query)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return asyncio.run(self._find(query))

    async def _find(self, query: str) -> list[Document]:
        request = Request(query, date.today(), self.region, top=self.top)
        return [_document(hit) for hit in await self.knowledge.search(self.kb, request)]


def _document(hit: Hit) -> Document:
    return Document(
        page_content=hit.text,
        metadata={
            "doc_id": hit.document.doc_id,
            "title": hit.document.title,
            "clause_ids": list(hit.clause_ids),
            "path": hit.path,
            "status": hit.status,
            "score": hit.scores.total,
        },
    )
