"""Looks at what the gateway stands on: the database, the pool and the knowledge."""

from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.engine import reader
from zhengwu.errors import OutboundError
from zhengwu.gateway.routes.kb import KnowledgeReader
from zhengwu.gateway.routes.ops import Check, PartState
from zhengwu.outbound import Outbound


def database_check(engine: AsyncEngine) -> Check:
    """Whether the database answers."""

    async def look() -> PartState:
        try:
            async with reader(engine).connect() as connection:
                await connection.execute(text("SELECT 1"))
        except (SQLAlchemyError, OSError) as error:
            return PartState(False, f"数据库没有应答（{type(error).__name__}），请检查数据库服务")
        return PartState(True, "正常")

    return Check("database", look)


def pool_check(outbound: Outbound, health_urls: Mapping[str, str]) -> Check:
    """Whether every engine is up. `health_urls`: model → its health address on this machine."""

    async def look() -> PartState:
        down = [name for name, url in health_urls.items() if not await _healthy(outbound, url)]
        figures = {"models": len(health_urls), "up": len(health_urls) - len(down)}
        if down:
            told = "、".join(down)
            return PartState(False, f"模型尚未就绪：{told}，可用 zhengwu pool status 查看", figures)
        return PartState(True, "正常", figures)

    return Check("pool", look)


def knowledge_check(knowledge: KnowledgeReader, kb: str) -> Check:
    """How far the default knowledge base is. Text alone is enough to answer from."""

    async def look() -> PartState:
        try:
            found = {one.name: one for one in await knowledge.kbs()}.get(kb)
        except (SQLAlchemyError, OSError) as error:
            return PartState(False, f"知识库无法读取（{type(error).__name__}），请检查数据库服务")
        if found is None:
            return PartState(False, f"知识库“{kb}”尚未建立，请用 zhengwu kb ingest 路径 --kb {kb}")
        figures = {
            "documents": found.documents,
            "chunks": found.chunks,
            "embedded": found.embedded,
        }
        return PartState(True, f"向量已完成 {found.embedded} / {found.chunks}", figures)

    return Check("knowledge", look, required=False)


def health_urls(pool_port: int, models: Sequence[str]) -> dict[str, str]:
    """Where the pool says that a model is up."""
    return {name: f"http://127.0.0.1:{pool_port}/{name}/health" for name in models}


async def _healthy(outbound: Outbound, url: str) -> bool:
    try:
        async with outbound.get(url) as answer:
            return answer.status == 200
    except OutboundError:
        return False
